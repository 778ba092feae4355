import { type Context, type Span, type SpanContext, TraceFlags, type Tracer, trace } from "@opentelemetry/api";
import { RandomIdGenerator } from "@opentelemetry/sdk-trace";

/**
 * OpenTelemetry's Tracer for a process that exports no spans: ids for the log and for the next process, nothing kept.
 * The parent's sampling decision is passed on as it came, so a service without an exporter leaves a hole in a trace and
 * does not cut it off.
 */
export class IdTracer implements Tracer {
  readonly #ids = new RandomIdGenerator();

  startSpan(_name: string, _options: unknown, parent: Context): Span {
    const above = trace.getSpanContext(parent);
    const ids: SpanContext = {
      traceId: above?.traceId ?? this.#ids.generateTraceId(),
      spanId: this.#ids.generateSpanId(),
      traceFlags: (above?.traceFlags ?? TraceFlags.NONE) & TraceFlags.SAMPLED,
      ...(above?.traceState && { traceState: above.traceState }),
    };
    return trace.wrapSpanContext(ids);
  }

  startActiveSpan(): never {
    throw new Error("spans are started by Tracer.span");
  }
}
