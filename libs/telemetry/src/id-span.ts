import { type Context, type Span, TraceFlags, trace } from "@opentelemetry/api";
import { RandomIdGenerator } from "@opentelemetry/sdk-trace";

const ids = new RandomIdGenerator();

/**
 * Returns a span that is not recorded: ids for the log and for the next process. The parent's
 * sampling decision is passed on unchanged, so a service without an exporter leaves a gap in a
 * trace but does not end it.
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
