import type { Fields } from "./logger.ts";
import type { Labels } from "./metrics.ts";

const maxSeries = 1_000;
const maxValue = 128;

/**
 * Keeps a metric's label sets within 1,000 series. Past that each new set counts into one whose every value is "other",
 * and a line says so once: an id that slipped into a label costs that metric's detail, not the process's memory.
 */
export class SeriesLimit<L extends string> {
  readonly #metric: string;
  readonly #names: readonly L[];
  readonly #warn: (message: string, fields: Fields) => void;
  readonly #seen = new Set<string>();
  readonly #other: Record<L, string>;
  #warned = false;

  constructor(metric: string, names: readonly L[], warn: (message: string, fields: Fields) => void) {
    this.#metric = metric;
    this.#names = names;
    this.#warn = warn;
    this.#other = Object.fromEntries(names.map((name) => [name, "other"])) as Record<L, string>;
  }

  /** The labels to count `labels` under: of the known names only, as strings of 128 characters at most. */
  admit(labels: Labels<L>): Record<L, string> {
    const admitted = {} as Record<L, string>;
    let key = "";
    for (const name of this.#names) {
      const value = String(labels[name] ?? "").slice(0, maxValue);
      admitted[name] = value;
      key += `${value.length}:${value}`; // With its length, so that no two sets share a key.
    }
    if (this.#seen.has(key)) return admitted;
    if (this.#seen.size < maxSeries) {
      this.#seen.add(key);
      return admitted;
    }
    if (!this.#warned) {
      this.#warned = true;
      this.#warn("a metric has too many series: new ones count as other", { metric: this.#metric, series: maxSeries });
    }
    return this.#other;
  }
}
