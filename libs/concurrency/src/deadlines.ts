import { longestTimerMs } from "./timer.ts";

/** Something that has to be over by a time. */
export interface Expiring {
  /** Milliseconds since the epoch; Infinity for never. */
  readonly deadline: number;
  /** That time has come. */
  expire(): void;
}

/**
 * Things with deadlines, in the order they were added, and one timer for all of them. A timer for each costs more than most
 * else about a call that ends long before its time, as nearly all do. Whose time comes is taken out, then told; it is
 * late by the millisecond of the timer, never early. As with a timer, what is in it keeps the process alive.
 */
export class Deadlines<T extends Expiring> implements Iterable<T> {
  readonly #items = new Set<T>();
  #timer: NodeJS.Timeout | undefined;
  /** When the timer looks next: at the earliest deadline, or before it if that one has left. */
  #looksAt = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#items.size;
  }

  add(item: T): void {
    if (this.#items.size === 0) this.#timer?.ref();
    this.#items.add(item);
    if (item.deadline < this.#looksAt) this.#lookAt(item.deadline);
  }

  /** Whether it was there. */
  delete(item: T): boolean {
    const was = this.#items.delete(item);
    if (this.#items.size === 0) this.#timer?.unref();
    return was;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#items.values();
  }

  #lookAt(time: number): void {
    clearTimeout(this.#timer);
    this.#looksAt = time;
    this.#timer = setTimeout(() => this.#look(), Math.min(Math.max(time - Date.now(), 0), longestTimerMs));
  }

  #look(): void {
    this.#timer = undefined;
    this.#looksAt = Number.POSITIVE_INFINITY;
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const item of this.#items) {
      if (item.deadline > now) next = Math.min(next, item.deadline);
      else if (this.#items.delete(item)) item.expire();
    }
    // What was told may have added others, and set the timer for them.
    if (next < this.#looksAt) this.#lookAt(next);
  }
}
