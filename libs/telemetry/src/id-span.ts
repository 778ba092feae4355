import { type Span, type SpanContext, TraceFlags, trace } from "@opentelemetry/api";
import { newSpanId, newTraceId } from "./random-ids.ts";

/**
 * Returns a span that is not recorded: ids for the log and for the next process. The parent's
 * sampling decision is passed on unchanged, so a service without an exporter leaves a gap in a
 * trace but does not end it.
 */
export function idSpan(parent: SpanContext | undefined): Span {
  const isSampled = parent !== undefined && (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
  return trace.wrapSpanContext(idsBelow(parent, isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE));
}

/** Returns new ids in the trace of `parent`, or in a new one. */
export function idsBelow(parent: SpanContext | undefined, traceFlags: TraceFlags): SpanContext {
  const traceId = parent?.traceId ?? newTraceId();
  const spanId = newSpanId();
  const traceState = parent?.traceState;
  return traceState === undefined ? { traceId, spanId, traceFlags } : { traceId, spanId, traceFlags, traceState };
}
