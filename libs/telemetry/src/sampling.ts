import { type Link, type SpanContext, TraceFlags } from "@opentelemetry/api";

/**
 * Returns true if a span is recorded. A child follows its parent's decision. A batch has no parent
 * and is recorded if one of the traces it links to is: by chance, a recorded trace would miss its
 * publish, and publishes of other traces would be exported. Other roots are recorded by chance,
 * `ratio` of them.
 */
export function isKept(parent: SpanContext | undefined, links: readonly Link[], ratio: number): boolean {
  if (parent !== undefined) return isSampled(parent);
  if (links.length > 0) return links.some((link) => isSampled(link.context));
  return Math.random() < ratio;
}

function isSampled({ traceFlags }: { readonly traceFlags: number }): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0;
}
