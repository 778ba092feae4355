import { type Context, type Link, TraceFlags, trace } from "@opentelemetry/api";

/**
 * Whether a span is recorded: as its parent was, wherever that decision was made. Work for a batch, which has no parent and
 * belongs to the traces it links to, is kept where one of them is: left to chance, a kept trace would miss its publish, and
 * publishes of traces nobody kept would be exported. Other roots are kept by chance, `ratio` of them.
 *
 * Decided here and not by a sampler of OpenTelemetry's SDK, which makes and describes a span before it asks one.
 */
export function isKept(parent: Context, links: readonly Link[], ratio: number): boolean {
  const above = trace.getSpanContext(parent);
  if (above !== undefined) return isSampled(above);
  if (links.length > 0) return links.some((link) => isSampled(link.context));
  return Math.random() < ratio;
}

function isSampled({ traceFlags }: { readonly traceFlags: number }): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0;
}
