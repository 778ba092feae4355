import * as prom from "prom-client";
import type { Fields } from "./logger.ts";
import type { Gauge, Labels } from "./metrics.ts";
import type { AnyRegistry } from "./metrics-text.ts";
import type { SeriesLimit } from "./series-limit.ts";

const readMs = 1_000;

interface Reader {
  readonly labels: Record<string, string>;
  readonly read: () => number | Promise<number>;
}

/** A gauge that is set, counted up and down, or read when it is scraped. */
export class ObservedGauge<L extends string> implements Gauge<L> {
  readonly #gauge: prom.Gauge;
  readonly #limit: SeriesLimit<L>;
  readonly #readers = new Set<Reader>();
  readonly #warn: (message: string, fields: Fields) => void;
  readonly #name: string;
  #warned = false;

  constructor(
    options: { name: string; help: string; labelNames: string[]; registers: AnyRegistry[] },
    limit: SeriesLimit<L>,
    warn: (message: string, fields: Fields) => void,
  ) {
    this.#name = options.name;
    this.#limit = limit;
    this.#warn = warn;
    this.#gauge = new prom.Gauge({ ...options, collect: () => this.#collect() });
  }

  set(labels: Labels<L>, value: number): void {
    if (Number.isFinite(value)) this.#gauge.set(this.#limit.admit(labels), value);
  }

  inc(labels: Labels<L>, by = 1): void {
    if (Number.isFinite(by)) this.#gauge.inc(this.#limit.admit(labels), by);
  }

  dec(labels: Labels<L>, by = 1): void {
    if (Number.isFinite(by)) this.#gauge.dec(this.#limit.admit(labels), by);
  }

  observe(read: () => number | Promise<number>, labels: Labels<L> = {} as Labels<L>): Disposable {
    const reader = { labels: this.#limit.admit(labels), read };
    this.#readers.add(reader);
    return {
      [Symbol.dispose]: () => {
        this.#readers.delete(reader);
        this.#gauge.remove(reader.labels);
      },
    };
  }

  async #collect(): Promise<void> {
    if (this.#readers.size === 0) return;
    const readers = [...this.#readers];
    const values = await Promise.all(readers.map((reader) => this.#read(reader)));
    const sums = new Map<string, { labels: Record<string, string>; sum: number }>();
    for (const [index, { labels }] of readers.entries()) {
      this.#gauge.remove(labels); // An old value would look like a fresh one when this read fails.
      const value = values[index];
      if (value === undefined || !Number.isFinite(value)) continue;
      const key = JSON.stringify(labels);
      sums.set(key, { labels, sum: (sums.get(key)?.sum ?? 0) + value });
    }
    for (const { labels, sum } of sums.values()) this.#gauge.set(labels, sum);
  }

  async #read({ read }: Reader): Promise<number | undefined> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`no value within ${readMs} ms`)), readMs);
    try {
      return await Promise.race([read(), late]);
    } catch (error) {
      // Once: a scrape comes every few seconds, and one broken gauge must not fill the log.
      if (!this.#warned) this.#warn("a gauge could not be read", { metric: this.#name, error });
      this.#warned = true;
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}
