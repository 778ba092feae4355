import { type Abortable, onAbort } from "@plumbline/concurrency";
import type { ServerCall } from "../call.ts";
import type { Interceptor } from "./interceptor.ts";

/** The memory that calls may hold while they run. */
export interface CallWeights {
  /** The octets that calls of heavy methods may hold together. */
  readonly maxBytes: number;
  /** The octets that one call may hold, by method ("orders.v1.OrdersService/ListOrders"). */
  readonly of: Readonly<Record<string, number>>;
}

interface Waiting {
  readonly key: string;
  readonly octets: number;
  readonly enter: () => void;
}

/**
 * Lets calls of heavy methods run while what they may hold together fits the memory for them.
 * Others wait, in order, until their deadline. One client has half of the memory at most, so it
 * never holds up the calls of another.
 */
export class MemoryPlaces {
  readonly #maxBytes: number;
  readonly #waiting = new Set<Waiting>();
  readonly #byKey = new Map<string, number>();
  #held = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The octets of the calls that run. */
  get held(): number {
    return this.#held;
  }

  /** Resolves with a place for `octets`. Rejects with the signal's reason if it aborts first. */
  async enter(key: string, octets: number, { signal }: Abortable = {}): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.#fits(key, octets) !== "yes" || this.#someWaitForAll()) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiting: Waiting = { key, octets, enter: resolve };
      this.#waiting.add(waiting);
      using _ = onAbort(signal, () => {
        // A call that was let in meanwhile gives its place back below.
        if (!this.#waiting.delete(waiting)) return;
        reject(signal?.reason);
        this.#letIn();
      });
      await promise;
    } else this.#take(key, octets);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#leave(key, octets);
      },
    };
  }

  #fits(key: string, octets: number): "yes" | "key is full" | "all is full" {
    const ofKey = this.#byKey.get(key) ?? 0;
    // A call that is heavier than its bound runs alone.
    if (ofKey > 0 && ofKey + octets > this.#maxBytes / 2) return "key is full";
    return this.#held > 0 && this.#held + octets > this.#maxBytes ? "all is full" : "yes";
  }

  #someWaitForAll(): boolean {
    for (const { key, octets } of this.#waiting) if (this.#fits(key, octets) === "all is full") return true;
    return false;
  }

  #take(key: string, octets: number): void {
    this.#held += octets;
    this.#byKey.set(key, (this.#byKey.get(key) ?? 0) + octets);
  }

  #leave(key: string, octets: number): void {
    this.#held -= octets;
    const left = (this.#byKey.get(key) ?? 0) - octets;
    if (left > 0) this.#byKey.set(key, left);
    else this.#byKey.delete(key);
    this.#letIn();
  }

  #letIn(): void {
    for (const waiting of this.#waiting) {
      const fit = this.#fits(waiting.key, waiting.octets);
      // A heavy call is not overtaken by lighter ones, which could keep it waiting without an end.
      if (fit === "all is full") return;
      if (fit === "key is full") continue;
      this.#waiting.delete(waiting);
      this.#take(waiting.key, waiting.octets);
      waiting.enter();
    }
  }
}

/** Lets calls of the methods in `weights` run by the memory that they may hold. */
export function weigh(weights: CallWeights): Interceptor<ServerCall> {
  const places = new MemoryPlaces(weights.maxBytes);
  const octetsOf = new Map(Object.entries(weights.of));
  return async (call, next) => {
    const octets = octetsOf.get(call.method);
    if (octets === undefined) return next(call);
    using _ = await places.enter(call.shareKey, octets, { signal: call.signal });
    await next(call);
    // The answer is held until the client has read it.
    await call.sent?.();
  };
}
