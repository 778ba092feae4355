import { List, type Place } from "./list.ts";

/**
 * Calls `callback` once when `signal` aborts, at once if it has. Disposing removes the callback.
 * With many waiters on one long-lived signal use this instead of `addEventListener`, where each add
 * and remove walks the list of listeners: ten thousand waiters cost their square. Here each costs
 * the same, and the signal has one listener.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): Disposable {
  if (signal === undefined) return detached;
  if (signal.aborted) {
    callback();
    return detached;
  }
  const watch = watched.get(signal) ?? new Watch(signal);
  return new Link(watch, watch.waiting.append(callback));
}

const detached: Disposable = { [Symbol.dispose]() {} };

const watched = new WeakMap<AbortSignal, Watch>();

/** The callbacks of one signal, behind its only listener. */
class Watch {
  readonly waiting = new List<() => void>();
  readonly #signal: AbortSignal;
  readonly #listener = (): void => this.#callAll();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    watched.set(signal, this);
    signal.addEventListener("abort", this.#listener, { once: true });
  }

  leave(place: Place<() => void>): void {
    if (!this.waiting.remove(place) || this.waiting.length > 0) return;
    // Without callbacks there is no listener: a listener keeps a composed signal from garbage
    // collection.
    watched.delete(this.#signal);
    this.#signal.removeEventListener("abort", this.#listener);
  }

  #callAll(): void {
    watched.delete(this.#signal);
    // One by one, since a callback may remove others meanwhile.
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      try {
        next.value();
      } catch (error) {
        // Uncaught, as in an event listener, while the other callbacks are still called.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

class Link implements Disposable {
  readonly #watch: Watch;
  readonly #place: Place<() => void>;

  constructor(watch: Watch, place: Place<() => void>) {
    this.#watch = watch;
    this.#place = place;
  }

  [Symbol.dispose](): void {
    this.#watch.leave(this.#place);
  }
}
