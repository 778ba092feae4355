import type { Abortable } from "./abortable.ts";
import { List } from "./list.ts";
import { onAbort } from "./on-abort.ts";

/**
 * At most `permits` holders at a time. A permit is disposable:
 *
 *     using permit = await semaphore.acquire({ signal });
 *
 * A released permit passes straight to the longest waiter: who comes later cannot overtake, and nobody starves. A waiter
 * that aborts takes nothing. Waiters are as many as there are callers; where those have no bound, use a `Pool`.
 */
export class Semaphore {
  readonly #waiters = new List<(permit: Disposable) => void>();
  #available: number;

  constructor(permits: number) {
    if (!Number.isSafeInteger(permits) || permits < 1) throw new RangeError("a semaphore needs at least one permit");
    this.#available = permits;
  }

  /** Permits nobody holds. While there are any, nobody waits. */
  get available(): number {
    return this.#available;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** Resolves with a permit, in the order of the calls. Rejects with the signal's reason, also when one is free. */
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

  /** A permit if one is free. Never overtakes: with waiters there, none is. */
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
