import type { Fields } from "./logger.ts";
import type { Labels } from "./metrics.ts";

const maxSeries = 1_000;
const maxValue = 128;

/** A map per label. The last one holds the state of the label set. */
type Level<S> = Map<string, Level<S> | S>;

/**
 * The state of a metric for each set of label values. A set is found by one lookup per label
 * without building a key, since every call looks up several.
 *
 * It holds 1,000 sets. Each further one shares a series whose values are all "other", with one
 * warning. An id used as a label by mistake costs the detail of that metric, not the memory of the
 * process.
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
    if (names.length === 0) this.#add({} as Record<L, string>); // The only set. It exists from the start, at zero.
  }

  /** The states of all sets, in the order of creation. */
  get all(): readonly S[] {
    return this.#all;
  }

  /**
   * Returns the state of these labels. Unknown names are ignored, and values are cut at 128
   * characters.
   */
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
