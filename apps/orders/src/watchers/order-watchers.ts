import { Event } from "@plumbline/concurrency";
import type { Carrier, Telemetry, Tracer } from "@plumbline/telemetry";
import { type Abortable, type OrderChanges, type OrderWatch, TooManyWatchersError } from "../use-cases/ports.ts";

/**
 * The watchers of this process, by order. An adapter announces changes. Each watcher keeps only the
 * latest version, so a slow watcher costs no more than a fast one.
 */
export class OrderWatchers implements OrderChanges {
  readonly #byOrder = new Map<string, Set<Watcher>>();
  readonly #most: number;
  readonly #gauge: { set(labels: Record<string, never>, value: number): void };
  readonly #tracer: Tracer;
  #count = 0;

  /** Takes at most `most` watchers. The next one is refused with TooManyWatchersError. */
  constructor(most: number, { metrics, tracer }: Pick<Telemetry, "metrics" | "tracer">) {
    this.#most = most;
    this.#tracer = tracer;
    this.#gauge = metrics.gauge("orders_watchers", "Streams of WatchOrder this process serves", []);
  }

  watch(orderId: string): OrderWatch {
    if (this.#count >= this.#most) throw new TooManyWatchersError("too many orders are being watched");
    const watchers = this.#byOrder.get(orderId) ?? new Set();
    const watcher = new Watcher(this.#tracer.carrier(), () => {
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
   * Announces that the order has this version, or by now a newer one. With a `traceparent`, the
   * trace of the change gets a span that links to the traces of the watchers' streams (ADR 14).
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

  /** Announces that announcements may have been missed, so that every watcher reads again. */
  announceAll(): void {
    for (const watchers of this.#byOrder.values()) for (const watcher of watchers) watcher.missed();
  }

  #counted(change: number): void {
    this.#count += change;
    this.#gauge.set({}, this.#count);
  }
}

class Watcher implements OrderWatch {
  /** The trace context of the watching request. */
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
