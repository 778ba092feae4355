import type { Carrier, Tracer } from "@plumbline/telemetry";

/**
 * Runs the work of a batch of messages whose handlers wait for it, with the trace context of each.
 * The work for one message runs as it is: its caller is within the span of that message. That for
 * several is a trace of its own, linked to theirs (ADR 14).
 */
export async function spanOfBatch<T>(
  tracer: Tracer,
  name: string,
  contexts: readonly Carrier[],
  work: () => Promise<T>,
): Promise<T> {
  if (contexts.length === 1) return await work();
  return await tracer.span(name, { parent: {}, links: contexts }, work);
}
