import { type Attributes, type Context, type Link, type SpanKind, TraceFlags } from "@opentelemetry/api";
import { type Sampler, SamplingDecision, type SamplingResult } from "@opentelemetry/sdk-trace";

/**
 * For roots: work for a batch, which belongs to the traces it links to, is kept where one of them is. Left to chance, a
 * kept trace would miss its publish, and publishes of traces nobody kept would be exported. Roots without links are `other`'s.
 */
export class LinkBasedSampler implements Sampler {
  readonly #other: Sampler;

  constructor(other: Sampler) {
    this.#other = other;
  }

  shouldSample(
    context: Context,
    traceId: string,
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    links: Link[],
  ): SamplingResult {
    if (links.length === 0) return this.#other.shouldSample(context, traceId, name, kind, attributes, links);
    const isSampled = links.some((link) => (link.context.traceFlags & TraceFlags.SAMPLED) !== 0);
    return { decision: isSampled ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
  }

  toString(): string {
    return `LinkBased{${this.#other.toString()}}`;
  }
}
