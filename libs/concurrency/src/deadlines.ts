import { List, type Place } from "./list.ts";
import { steadyNow } from "./steady-now.ts";
import { longestTimerMs } from "./timer.ts";

/** An item with a deadline. */
export interface Expiring {
  /** Milliseconds since the epoch, by `steadyNow`. Infinity never expires. */
  readonly deadline: number;
  /** Called when the deadline has passed. */
  expire(): void;
  /** Set and read by the one `Deadlines` that the item is in; others leave it alone. */
  place?: Place<Expiring> | undefined;
}

/**
 * A set of items with deadlines, in the order of adding, with one timer for all. Nearly all calls
 * end long before their deadline, and a timer for each would be a large part of their cost. An
 * expired item is removed, then called. It is late by the timer's millisecond, never early. Items
 * keep the process alive, as timers do.
 */
export class Deadlines<T extends Expiring> implements Iterable<T> {
  readonly #items = new List<T>();
  #timer: NodeJS.Timeout | undefined;
  /** The time of the next check: the earliest deadline, or earlier if that item was removed. */
  #checksAt = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    if (this.#items.length === 0) this.#timer?.ref();
    item.place = this.#items.append(item);
    if (item.deadline < this.#checksAt) this.#checkAt(item.deadline);
  }

  /** Removes the item. Returns false if it was not present. */
  delete(item: T): boolean {
    const was = this.#remove(item);
    if (this.#items.length === 0) this.#timer?.unref();
    return was;
  }

  /** Yields the items, but none that is removed meanwhile or added later. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (const place of this.#items.places()) if (place.value.place === place) yield place.value;
  }

  #remove(item: T): boolean {
    const { place } = item;
    item.place = undefined;
    return place !== undefined && this.#items.remove(place as Place<T>);
  }

  #checkAt(time: number): void {
    clearTimeout(this.#timer);
    this.#checksAt = time;
    this.#timer = setTimeout(() => this.#check(), Math.min(Math.max(time - steadyNow(), 0), longestTimerMs));
  }

  #check(): void {
    this.#timer = undefined;
    this.#checksAt = Number.POSITIVE_INFINITY;
    const now = steadyNow();
    let next = Number.POSITIVE_INFINITY;
    for (const item of this) {
      if (item.deadline > now) next = Math.min(next, item.deadline);
      else if (this.#remove(item)) item.expire();
    }
    // An expired item may have added others and set the timer for them.
    if (next < this.#checksAt) this.#checkAt(next);
  }
}
