import { onAbort } from "@plumbline/concurrency";
import type { Telemetry } from "@plumbline/telemetry";
import { type Abortable, type OrderChanges, type OrderWatch, TooManyWatchersError } from "./use-cases/ports.ts";

/**
 * Who follows which order in this process. Adapters announce changes; each watcher remembers the latest version
 * announced and nothing else, so a slow one costs what a fast one costs.
 */
export class OrderWatchers implements OrderChanges {
  readonly #byOrder = new Map<string, Set<Watcher>>();
  readonly #most: number;
  readonly #gauge: { set(labels: Record<string, never>, value: number): void };
  #count = 0;

  /** At most `most` watchers; the next is refused with TooManyWatchersError. */
  constructor(most: number, { metrics }: Pick<Telemetry, "metrics">) {
    this.#most = most;
    this.#gauge = metrics.gauge("orders_watchers", "Streams of WatchOrder this process serves", []);
  }

  watch(orderId: string): OrderWatch {
    if (this.#count >= this.#most) throw new TooManyWatchersError("too many orders are being watched");
    const watchers = this.#byOrder.get(orderId) ?? new Set();
    const watcher = new Watcher(() => {
      if (!watchers.delete(watcher)) return;
      if (watchers.size === 0) this.#byOrder.delete(orderId);
      this.#counted(-1);
    });
    watchers.add(watcher);
    this.#byOrder.set(orderId, watchers);
    this.#counted(1);
    return watcher;
  }

  /** A change was committed: the order has this version, or by now a newer one. */
  announce(orderId: string, version: bigint): void {
    for (const watcher of this.#byOrder.get(orderId) ?? []) watcher.announced(version);
  }

  /** Announcements may have been missed: everyone reads again. */
  announceAll(): void {
    for (const watchers of this.#byOrder.values()) for (const watcher of watchers) watcher.missed();
  }

  #counted(change: number): void {
    this.#count += change;
    this.#gauge.set({}, this.#count);
  }
}

class Watcher implements OrderWatch {
  readonly #leave: () => void;
  #latest = 0n;
  #missed = false;
  #wake: (() => void) | undefined;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  announced(version: bigint): void {
    if (version <= this.#latest) return;
    this.#latest = version;
    this.#wake?.();
  }

  missed(): void {
    this.#missed = true;
    this.#wake?.();
  }

  async newerThan(version: bigint, { signal }: Abortable = {}): Promise<void> {
    while (this.#latest <= version && !this.#missed) {
      signal?.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      using _ = onAbort(signal, () => reject(signal?.reason));
      this.#wake = resolve;
      await promise;
    }
    this.#missed = false;
  }

  [Symbol.dispose](): void {
    this.#leave();
  }
}
