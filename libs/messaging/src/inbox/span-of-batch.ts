import type { Carrier, Tracer } from "@plumbline/telemetry";
import { batchTrace } from "../batch-trace.ts";

/**
 * Runs the work of a batch of messages whose handlers wait for it, with the trace context of each.
 * The work for one message runs as it is: its caller is within the span of that message. That for
 * several has a span of its own, which is linked to theirs (ADR 14).
 */
export async function spanOfBatch<T>(
  tracer: Tracer,
  name: string,
  contexts: readonly Carrier[],
  work: () => Promise<T>,
): Promise<T> {
  if (contexts.length === 1) return await work();
  return await tracer.span(name, batchTrace(contexts), work);
}
