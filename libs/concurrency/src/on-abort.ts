import { List, type Place } from "./list.ts";

/**
 * Calls `callback` once when `signal` aborts, at once if it has; disposing takes it back. Where many wait on one
 * long-lived signal use this rather than `addEventListener`: there a signal's listeners are a list that each add and
 * remove walks, so ten thousand waiters cost their square. Here each costs the same, and the signal has one listener.
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

/** All who wait on one signal, behind the one listener it has of us. */
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
    // The last to go takes the listener along: while it has one, Node keeps a composed signal from being collected.
    watched.delete(this.#signal);
    this.#signal.removeEventListener("abort", this.#listener);
  }

  #callAll(): void {
    watched.delete(this.#signal);
    // One by one, since a callback may take others back while we go round.
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      try {
        next.value();
      } catch (error) {
        // As an event listener's: it ends the process as uncaught, and the others are called all the same.
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
