import { within } from "@plumbline/concurrency";
import type { Fields } from "./logger.ts";
import type { Gauge, Labels } from "./metrics.ts";
import type { Sample } from "./prom-metric.ts";
import { Series } from "./series.ts";

const readMs = 1_000;

type Read = () => number | Promise<number>;

interface Slot {
  readonly labels: Readonly<Record<string, string>>;
  /** The value it was set to. Undefined if it is only read. */
  value: number | undefined;
  readonly readers: Set<{ readonly read: Read }>;
}

/** A gauge that is set, incremented, decremented, or read at each scrape. */
export class ObservedGauge<L extends string> implements Gauge<L> {
  readonly #name: string;
  readonly #series: Series<L, Slot>;
  readonly #warn: (message: string, fields: Fields) => void;
  #warned = false;

  constructor(name: string, labelNames: readonly L[], warn: (message: string, fields: Fields) => void) {
    this.#name = name;
    this.#warn = warn;
    const value = labelNames.length === 0 ? 0 : undefined;
    this.#series = new Series(name, labelNames, warn, (labels) => ({ labels, value, readers: new Set() }));
  }

  set(labels: Labels<L>, value: number): void {
    if (Number.isFinite(value)) this.#series.of(labels).value = value;
  }

  inc(labels: Labels<L>, by = 1): void {
    if (!Number.isFinite(by)) return;
    const slot = this.#series.of(labels);
    slot.value = (slot.value ?? 0) + by;
  }

  dec(labels: Labels<L>, by = 1): void {
    this.inc(labels, -by);
  }

  observe(read: Read, labels: Labels<L> = {} as Labels<L>): Disposable {
    const slot = this.#series.of(labels);
    const reader = { read }; // An object, since the same function may be registered twice.
    slot.value = undefined;
    slot.readers.add(reader);
    return { [Symbol.dispose]: () => void slot.readers.delete(reader) };
  }

  /**
   * Returns the samples of a scrape, without series whose readers all failed: an old value would
   * look current.
   */
  async read(): Promise<readonly Sample[]> {
    const samples = await Promise.all(this.#series.all.map((slot) => this.#sample(slot)));
    return samples.filter((sample) => sample !== undefined);
  }

  async #sample({ labels, value, readers }: Slot): Promise<Sample | undefined> {
    const read = await Promise.all([...readers].map((reader) => this.#read(reader.read)));
    let sum = value;
    for (const one of read) if (one !== undefined && Number.isFinite(one)) sum = (sum ?? 0) + one;
    return sum === undefined ? undefined : { labels, value: sum };
  }

  async #read(read: Read): Promise<number | undefined> {
    try {
      return await within(Promise.resolve(read()), { ms: readMs, what: "reading the gauge" });
    } catch (error) {
      // Once, since scrapes come every few seconds and one broken gauge must not fill the log.
      if (!this.#warned) this.#warn("a gauge could not be read", { metric: this.#name, error });
      this.#warned = true;
      return undefined;
    }
  }
}
