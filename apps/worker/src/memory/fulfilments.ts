import type { Abortable } from "@plumbline/concurrency";
import type { Fulfilment } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import type { Fulfilments, MessageName } from "../use-cases/ports.ts";

/** The port over Maps, for tests: each call is one step, so it is a transaction by nature. Grows with what is put in. */
export class MemoryFulfilments implements Fulfilments {
  readonly #handled = new Set<string>();
  readonly #settled = new Map<string, Fulfilment>();
  readonly #cancelled = new Set<string>();
  readonly #announce: (fulfilment: Fulfilment) => void;

  /** `announce` is told what came of an order, once it is recorded. */
  constructor(announce: (fulfilment: Fulfilment) => void = () => {}) {
    this.#announce = announce;
  }

  async statusOf(orderId: OrderId, { signal }: Abortable = {}): Promise<"open" | "settled" | "cancelled"> {
    signal?.throwIfAborted();
    if (this.#settled.has(orderId)) return "settled";
    return this.#cancelled.has(orderId) ? "cancelled" : "open";
  }

  async settle(message: MessageName, fulfilment: Fulfilment, { signal }: Abortable = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#wasHandled(message) || this.#settled.has(fulfilment.orderId)) return;
    const isCancelled = this.#cancelled.has(fulfilment.orderId);
    const recorded: Fulfilment = isCancelled ? { ...fulfilment, outcome: { status: "withheld" } } : fulfilment;
    this.#settled.set(fulfilment.orderId, recorded);
    this.#announce(recorded);
  }

  async cancel(
    message: MessageName,
    { orderId }: { readonly orderId: OrderId },
    { signal }: Abortable = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    if (!this.#wasHandled(message)) this.#cancelled.add(orderId);
  }

  async label(orderId: OrderId, { signal }: Abortable = {}): Promise<Uint8Array | undefined> {
    signal?.throwIfAborted();
    const outcome = this.#settled.get(orderId)?.outcome;
    return outcome?.status === "fulfilled" && !this.#cancelled.has(orderId) ? outcome.label : undefined;
  }

  #wasHandled({ source, id }: MessageName): boolean {
    const name = JSON.stringify([source, id]);
    const wasHandled = this.#handled.has(name);
    this.#handled.add(name);
    return wasHandled;
  }
}
