import type { Abortable } from "./abortable.ts";
import { List } from "./list.ts";
import { onAbort } from "./on-abort.ts";

/**
 * A semaphore with at most `permits` holders at a time. A permit is disposable:
 *
 *     using permit = await semaphore.acquire({ signal });
 *
 * A released permit goes to the longest waiter, so later callers cannot overtake and no waiter
 * starves. A waiter that aborts takes no permit. Waiters are as many as there are callers. If those
 * are unbounded, use a `Pool`.
 */
export class Semaphore {
  readonly #waiters = new List<(permit: Disposable) => void>();
  #available: number;

  constructor(permits: number) {
    if (!Number.isSafeInteger(permits) || permits < 1) throw new RangeError("a semaphore needs at least one permit");
    this.#available = permits;
  }

  /** The number of free permits. While it is above zero, there are no waiters. */
  get available(): number {
    return this.#available;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /**
   * Resolves with a permit, in the order of the calls. Rejects with the signal's reason, also if
   * one is free.
   */
  acquire(options: Abortable = {}): Promise<Disposable> {
    const { signal } = options;
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
    if (signal?.aborted) {
      reject(signal.reason);
      return promise;
    }
    const permit = this.tryAcquire();
    if (permit !== undefined) {
      resolve(permit);
      return promise;
    }
    const place = this.#waiters.append((permit) => {
      link[Symbol.dispose]();
      resolve(permit);
    });
    const link = onAbort(signal, () => {
      this.#waiters.remove(place);
      reject(signal?.reason);
    });
    return promise;
  }

  /**
   * Returns a permit, or undefined if none is free. It never overtakes, since with waiters none is
   * free.
   */
  tryAcquire(): Disposable | undefined {
    if (this.#available === 0) return undefined;
    this.#available--;
    return this.#permit();
  }

  #permit(): Disposable {
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#release();
      },
    };
  }

  #release(): void {
    const next = this.#waiters.shift();
    if (next === undefined) this.#available++;
    else next.value(this.#permit());
  }
}
