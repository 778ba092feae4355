import { type Context, type Span, TraceFlags, trace } from "@opentelemetry/api";
import { RandomIdGenerator } from "@opentelemetry/sdk-trace";

const ids = new RandomIdGenerator();

/**
 * A span that nobody keeps: ids for the log and for the next process. The parent's sampling decision is passed on as it came,
 * so a service without an exporter leaves a hole in a trace and does not cut it off.
 */
export function idSpan(parent: Context): Span {
  const above = trace.getSpanContext(parent);
  return trace.wrapSpanContext({
    traceId: above?.traceId ?? ids.generateTraceId(),
    spanId: ids.generateSpanId(),
    traceFlags: (above?.traceFlags ?? TraceFlags.NONE) & TraceFlags.SAMPLED,
    ...(above?.traceState && { traceState: above.traceState }),
  });
}
