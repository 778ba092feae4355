import type { Abortable } from "./abortable.ts";
import { List } from "./list.ts";
import { onAbort } from "./on-abort.ts";

export interface FairSemaphoreOptions {
  /** The most permits in all. */
  readonly permits: number;
  /** The most permits of one share; all of them if not given. */
  readonly perShare?: number | undefined;
}

/** A request for a permit: the share that it counts for, and its cost. */
export interface FairRequest extends Abortable {
  /** The share with the name "" has no bound of its own. */
  readonly share: string;
  /** The work behind the permit, in any unit; 1 if not given. At least 1. */
  readonly cost?: number | undefined;
}

interface Waiter {
  readonly cost: number;
  readonly grant: () => void;
}

interface Share {
  readonly name: string;
  readonly waiters: List<Waiter>;
  running: number;
  /** The part of the first waiter's cost that the share has earned. */
  credit: number;
}

/**
 * A semaphore whose permits are divided among shares by deficit round robin with the smallest
 * quantum. Waiting shares earn credit at the same rate, and the share that has earned the cost of
 * its first waiter gets the next permit. So all get the same cost per time, however many requests
 * one of them makes, and none starves: while a waiter of cost c is the first of its share, each
 * other share gets permits for less than c plus the cost of one request.
 *
 * Within a share, permits are granted in the order of the requests. A share that neither waits nor
 * holds a permit is forgotten, its credit too. The choice takes time in proportion to the shares
 * that wait.
 */
export class FairSemaphore {
  readonly #perShare: number;
  /** In the order of their last permits, the longest ago first. */
  readonly #shares = new Map<string, Share>();
  #available: number;
  #waiting = 0;

  constructor({ permits, perShare = permits }: FairSemaphoreOptions) {
    for (const count of [permits, perShare])
      if (!Number.isSafeInteger(count) || count < 1) throw new RangeError("a semaphore needs at least one permit");
    this.#available = permits;
    this.#perShare = perShare;
  }

  /** The number of free permits. Above zero, only shares at their own bound wait. */
  get available(): number {
    return this.#available;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** The number of shares that hold a permit or wait for one. */
  get shares(): number {
    return this.#shares.size;
  }

  /** Resolves with a permit. Rejects with the signal's reason, also if a permit is free. */
  acquire({ share: name, cost = 1, signal }: FairRequest): Promise<Disposable> {
    if (!(cost >= 1 && cost < Number.POSITIVE_INFINITY)) throw new RangeError("a cost is at least 1");
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
    if (signal?.aborted) {
      reject(signal.reason);
      return promise;
    }
    const share = this.#shareOf(name);
    if (this.#mayRun(share)) {
      resolve(this.#permit(share));
      return promise;
    }
    const place = share.waiters.append({
      cost,
      grant: () => {
        link[Symbol.dispose]();
        resolve(this.#permit(share));
      },
    });
    this.#waiting++;
    const link = onAbort(signal, () => {
      share.waiters.remove(place);
      this.#waiting--;
      if (share.waiters.length === 0) share.credit = 0;
      this.#forgetIdle(share);
      reject(signal?.reason);
    });
    return promise;
  }

  #shareOf(name: string): Share {
    let share = this.#shares.get(name);
    if (share === undefined) {
      share = { name, waiters: new List(), running: 0, credit: 0 };
      this.#shares.set(name, share);
    }
    return share;
  }

  #mayRun({ name, running }: Share): boolean {
    return this.#available > 0 && (running < this.#perShare || name === "");
  }

  #permit(share: Share): Disposable {
    this.#available--;
    share.running++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        share.running--;
        this.#available++;
        this.#grant();
        this.#forgetIdle(share);
      },
    };
  }

  #grant(): void {
    while (this.#available > 0) {
      const share = this.#nextShare();
      if (share === undefined) return;
      const waiter = share.waiters.shift();
      if (waiter === undefined) return;
      this.#waiting--;
      share.credit = 0;
      // The last one from now on.
      this.#shares.delete(share.name);
      this.#shares.set(share.name, share);
      waiter.value.grant();
    }
  }

  /** Returns the share that earns the cost of its first waiter first, and lets all earn as much. */
  #nextShare(): Share | undefined {
    let next: Share | undefined;
    let least = Number.POSITIVE_INFINITY;
    const eligible: Share[] = [];
    for (const share of this.#shares.values()) {
      const first = share.waiters.first;
      if (first === undefined || !this.#mayRun(share)) continue;
      eligible.push(share);
      const missing = Math.max(0, first.value.cost - share.credit);
      if (missing >= least) continue;
      least = missing;
      next = share;
    }
    for (const share of eligible) share.credit = Math.min(share.credit + least, share.waiters.first?.value.cost ?? 0);
    return next;
  }

  #forgetIdle(share: Share): void {
    if (share.running === 0 && share.waiters.length === 0) this.#shares.delete(share.name);
  }
}
