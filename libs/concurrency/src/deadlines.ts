import { steadyNow } from "./steady-now.ts";
import { longestTimerMs } from "./timer.ts";

/** An item with a deadline. */
export interface Expiring {
  /** Milliseconds since the epoch, by `steadyNow`. Infinity never expires. */
  readonly deadline: number;
  /** Called when the deadline has passed. */
  expire(): void;
}

/**
 * A set of items with deadlines, in the order of adding, with one timer for all. Nearly all calls
 * end long before their deadline, and a timer for each would be a large part of their cost. An
 * expired item is removed, then called. It is late by the timer's millisecond, never early. Items
 * keep the process alive, as timers do.
 */
export class Deadlines<T extends Expiring> implements Iterable<T> {
  readonly #items = new Set<T>();
  #timer: NodeJS.Timeout | undefined;
  /** The time of the next check: the earliest deadline, or earlier if that item was removed. */
  #checksAt = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#items.size;
  }

  add(item: T): void {
    if (this.#items.size === 0) this.#timer?.ref();
    this.#items.add(item);
    if (item.deadline < this.#checksAt) this.#checkAt(item.deadline);
  }

  /** Removes the item. Returns false if it was not present. */
  delete(item: T): boolean {
    const was = this.#items.delete(item);
    if (this.#items.size === 0) this.#timer?.unref();
    return was;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#items.values();
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
    for (const item of this.#items) {
      if (item.deadline > now) next = Math.min(next, item.deadline);
      else if (this.#items.delete(item)) item.expire();
    }
    // An expired item may have added others and set the timer for them.
    if (next < this.#checksAt) this.#checkAt(next);
  }
}
