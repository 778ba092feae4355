import { Event } from "@plumbline/concurrency";
import type { Carrier, Telemetry, Tracer } from "@plumbline/telemetry";
import { type Abortable, type OrderChanges, type OrderWatch, TooManyWatchersError } from "../use-cases/ports.ts";

/**
 * Who follows which order in this process. Adapters announce changes; each watcher remembers the latest version
 * announced and nothing else, so a slow one costs what a fast one costs.
 */
export class OrderWatchers implements OrderChanges {
  readonly #byOrder = new Map<string, Set<Watcher>>();
  readonly #most: number;
  readonly #gauge: { set(labels: Record<string, never>, value: number): void };
  readonly #tracer: Tracer;
  #count = 0;

  /** At most `most` watchers; the next is refused with TooManyWatchersError. */
  constructor(most: number, { metrics, tracer }: Pick<Telemetry, "metrics" | "tracer">) {
    this.#most = most;
    this.#tracer = tracer;
    this.#gauge = metrics.gauge("orders_watchers", "Streams of WatchOrder this process serves", []);
  }

  watch(orderId: string): OrderWatch {
    if (this.#count >= this.#most) throw new TooManyWatchersError("too many orders are being watched");
    const watchers = this.#byOrder.get(orderId) ?? new Set();
    const stream: Record<string, string> = {};
    this.#tracer.inject(stream);
    const watcher = new Watcher(stream, () => {
      if (!watchers.delete(watcher)) return;
      if (watchers.size === 0) this.#byOrder.delete(orderId);
      this.#counted(-1);
    });
    watchers.add(watcher);
    this.#byOrder.set(orderId, watchers);
    this.#counted(1);
    return watcher;
  }

  /**
   * A change was committed: the order has this version, or by now a newer one. With the `traceparent` of the change its
   * trace gets a span that links to the watchers' streams, which are other requests with traces of their own (ADR 14).
   */
  announce(orderId: string, version: bigint, traceparent?: string): void {
    const watchers = [...(this.#byOrder.get(orderId) ?? [])];
    if (watchers.length === 0) return;
    const tell = (): void => {
      for (const watcher of watchers) watcher.announced(version);
    };
    if (traceparent === undefined) return tell();
    const attributes = { "order.version": Number(version), "orders.watchers": watchers.length };
    const links = watchers.map(({ stream }) => stream);
    this.#tracer.span("tell watchers", { parent: { traceparent }, links, attributes }, tell);
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
  /** The trace context of the request that watches. */
  readonly stream: Carrier;
  readonly #leave: () => void;
  readonly #changed = new Event();
  #latest = 0n;
  #missed = false;

  constructor(stream: Carrier, leave: () => void) {
    this.stream = stream;
    this.#leave = leave;
  }

  announced(version: bigint): void {
    if (version <= this.#latest) return;
    this.#latest = version;
    this.#changed.set();
  }

  missed(): void {
    this.#missed = true;
    this.#changed.set();
  }

  async newerThan(version: bigint, { signal }: Abortable = {}): Promise<void> {
    while (this.#latest <= version && !this.#missed) await this.#changed.wait({ signal });
    this.#missed = false;
  }

  [Symbol.dispose](): void {
    this.#leave();
  }
}
