import type { Fields } from "./logger.ts";
import type { Labels } from "./metrics.ts";

const maxSeries = 1_000;
const maxValue = 128;

/** A map per label; the last one holds what is kept for the set. */
type Level<S> = Map<string, Level<S> | S>;

/**
 * What a metric keeps for each set of label values: found by one lookup per label, as nothing is built from them on the way.
 * Several are looked up in every call.
 *
 * Holds 1,000 sets. Past that each new one shares a series whose every value is "other", and a line says so once: an id that
 * slipped into a label costs that metric's detail, not the process's memory.
 */
export class Series<L extends string, S> {
  readonly #metric: string;
  readonly #names: readonly L[];
  readonly #warn: (message: string, fields: Fields) => void;
  readonly #make: (labels: Record<L, string>) => S;
  readonly #root: Level<S> = new Map();
  readonly #all: S[] = [];
  #other: S | undefined;

  constructor(
    metric: string,
    names: readonly L[],
    warn: (message: string, fields: Fields) => void,
    make: (labels: Record<L, string>) => S,
  ) {
    this.#metric = metric;
    this.#names = names;
    this.#warn = warn;
    this.#make = make;
    if (names.length === 0) this.#add({} as Record<L, string>); // The only one there can be: it counts from zero.
  }

  /** In the order they came. */
  get all(): readonly S[] {
    return this.#all;
  }

  /** What is kept for these labels: of the known names only, as strings of 128 characters at most. */
  of(labels: Labels<L>): S {
    let found: Level<S> | S | undefined = this.#names.length === 0 ? this.#all[0] : this.#root;
    for (const name of this.#names) {
      found = (found as Level<S>).get(valueOf(labels[name]));
      if (found === undefined) return this.#new(labels);
    }
    return found as S;
  }

  #new(labels: Labels<L>): S {
    if (this.#all.length >= maxSeries) return this.#others();
    const admitted = {} as Record<L, string>;
    for (const name of this.#names) admitted[name] = valueOf(labels[name]);
    return this.#add(admitted);
  }

  #add(labels: Record<L, string>): S {
    const made = this.#make(labels);
    this.#all.push(made);
    let level = this.#root;
    for (const [index, name] of this.#names.entries()) {
      if (index === this.#names.length - 1) level.set(labels[name], made);
      else level = below(level, labels[name]);
    }
    return made;
  }

  #others(): S {
    if (this.#other === undefined) {
      this.#warn("a metric has too many series: new ones count as other", { metric: this.#metric, series: maxSeries });
      this.#other = this.#make(Object.fromEntries(this.#names.map((name) => [name, "other"])) as Record<L, string>);
      this.#all.push(this.#other);
    }
    return this.#other;
  }
}

function valueOf(value: string | number | undefined): string {
  const text = typeof value === "string" ? value : String(value ?? "");
  return text.length <= maxValue ? text : text.slice(0, maxValue);
}

function below<S>(level: Level<S>, value: string): Level<S> {
  let next = level.get(value) as Level<S> | undefined;
  if (next === undefined) level.set(value, (next = new Map()));
  return next;
}
