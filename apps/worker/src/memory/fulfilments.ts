import type { Abortable } from "@plumbline/concurrency";
import type { Fulfilment } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import type { Fulfilments, MessageId, Owned } from "../use-cases/ports.ts";

/**
 * The port over Maps, for tests. Each call is one step, and so a transaction. Nothing is removed.
 */
export class MemoryFulfilments implements Fulfilments {
  readonly #handled = new Set<string>();
  readonly #settled = new Map<string, Fulfilment>();
  readonly #cancelled = new Set<string>();
  readonly #announce: (fulfilment: Fulfilment) => void;

  /** Calls `announce` with each fulfilment once it is recorded. */
  constructor(announce: (fulfilment: Fulfilment) => void = () => {}) {
    this.#announce = announce;
  }

  async statusOf(orderId: OrderId, { signal }: Abortable = {}): Promise<"open" | "settled" | "cancelled"> {
    signal?.throwIfAborted();
    if (this.#settled.has(orderId)) return "settled";
    return this.#cancelled.has(orderId) ? "cancelled" : "open";
  }

  async settle(message: MessageId, fulfilment: Fulfilment, { signal }: Abortable = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#wasHandled(message) || this.#settled.has(fulfilment.orderId)) return;
    const isCancelled = this.#cancelled.has(fulfilment.orderId);
    const recorded: Fulfilment = isCancelled ? { ...fulfilment, outcome: { status: "withheld" } } : fulfilment;
    this.#settled.set(fulfilment.orderId, recorded);
    this.#announce(recorded);
  }

  async cancel(
    message: MessageId,
    { orderId }: { readonly orderId: OrderId },
    { signal }: Abortable = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    if (!this.#wasHandled(message)) this.#cancelled.add(orderId);
  }

  async label(orderId: OrderId, { owner, signal }: Owned = {}): Promise<Uint8Array | undefined> {
    signal?.throwIfAborted();
    const settled = this.#settled.get(orderId);
    if (owner !== undefined && settled?.customerId !== owner) return undefined;
    const outcome = settled?.outcome;
    return outcome?.status === "fulfilled" && !this.#cancelled.has(orderId) ? outcome.label : undefined;
  }

  #wasHandled({ source, id }: MessageId): boolean {
    const name = JSON.stringify([source, id]);
    const wasHandled = this.#handled.has(name);
    this.#handled.add(name);
    return wasHandled;
  }
}
