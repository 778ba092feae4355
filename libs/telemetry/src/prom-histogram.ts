import type { Fields } from "./logger.ts";
import type { Histogram, Labels } from "./metrics.ts";
import { sampledIds } from "./otel-tracer.ts";
import type { Exemplar, Sample } from "./prom-metric.ts";
import { Series } from "./series.ts";

interface Slot {
  readonly labels: Readonly<Record<string, string>>;
  /** The count of each bucket, without the lower ones. The last is for values above all bounds. */
  readonly counts: number[];
  /** The last observation of each bucket inside a sampled span. */
  readonly exemplars: (Exemplar | undefined)[];
  sum: number;
}

/** A histogram that counts values by bucket and keeps a trace for each bucket. */
export class PromHistogram<L extends string> implements Histogram<L> {
  readonly #name: string;
  readonly #bounds: readonly number[];
  readonly #series: Series<L, Slot>;

  /** @param bounds the upper bounds of the buckets, in ascending order */
  constructor(
    name: string,
    labelNames: readonly L[],
    bounds: readonly number[],
    warn: (message: string, fields: Fields) => void,
  ) {
    this.#name = name;
    this.#bounds = bounds;
    const length = bounds.length + 1;
    this.#series = new Series(name, labelNames, warn, (labels) => ({
      labels,
      counts: Array.from({ length }, () => 0),
      exemplars: Array.from({ length }, () => undefined),
      sum: 0,
    }));
  }

  observe(labels: Labels<L>, value: number): void {
    if (!Number.isFinite(value)) return;
    const slot = this.#series.of(labels);
    const bucket = this.#bucketOf(value);
    slot.counts[bucket]! += 1;
    slot.sum += value;
    const ids = sampledIds();
    if (ids !== undefined) slot.exemplars[bucket] = { labelSet: ids, value, timestamp: Date.now() / 1000 };
  }

  /** Returns the samples of a scrape, with cumulative counts. */
  read(): readonly Sample[] {
    return this.#series.all.flatMap(({ labels, counts, exemplars, sum }) => {
      let count = 0;
      const buckets = counts.map((more, index): Sample => {
        count += more;
        const le = this.#bounds[index] ?? "+Inf";
        return {
          metricName: `${this.#name}_bucket`,
          labels: { le, ...labels },
          value: count,
          exemplar: exemplars[index],
        };
      });
      return [
        ...buckets,
        { metricName: `${this.#name}_sum`, labels, value: sum },
        { metricName: `${this.#name}_count`, labels, value: count },
      ];
    });
  }

  #bucketOf(value: number): number {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    return bucket;
  }
}
