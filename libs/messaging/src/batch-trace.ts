import type { Carrier, SpanOptions } from "@plumbline/telemetry";

/**
 * Returns the options of a span for several messages, by the trace context of each. It is linked to
 * all of them, and part of their trace if they share one. Else it is part of none (ADR 14).
 */
export function batchTrace(contexts: readonly Carrier[]): Pick<SpanOptions, "links" | "parent"> {
  const traces = new Set(contexts.map((context) => context["traceparent"]?.toString().split("-")[1]));
  return { links: contexts, parent: traces.size === 1 ? contexts[0] : {} };
}
