/** What fulfilling an order needs from outside. Every adapter of Fulfilments passes the contract in `test/fulfilments.ts`. */
import type { Abortable } from "@plumbline/concurrency";
import type { Fulfilment, OrderItem, Quote } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";

/** Asks for all items at once and answers in their order. Throws if one of them was not answered. */
export type AskSuppliers = (items: readonly OrderItem[], options?: Abortable) => Promise<Quote[]>;

/** Draws the packing label of an order as a PNG picture. */
export type DrawLabel = (
  content: { readonly orderId: OrderId; readonly items: readonly OrderItem[] },
  options?: Abortable,
) => Promise<Uint8Array>;

/** Names a message for ever: what an inbox remembers. */
export interface MessageName {
  readonly id: string;
  readonly source: string;
}

/** What came of each order. Cancels and fulfilments may arrive in any order, and more than once. */
export interface Fulfilments {
  /** `settled` once anything came of the order, `cancelled` if it was cancelled before that, else `open`. */
  statusOf(orderId: OrderId, options?: Abortable): Promise<"open" | "settled" | "cancelled">;

  /**
   * Records what came of an order, the event that says so and the handled message, all in one transaction. Without
   * effect if the message has been handled or the order is settled. Of a cancelled order it records `withheld` instead
   * and announces nothing.
   */
  settle(message: MessageName, fulfilment: Fulfilment, options?: Abortable): Promise<void>;

  /** Records that an order was cancelled, whether or not it has been placed yet, with the handled message. */
  cancel(
    message: MessageName,
    cancel: { readonly orderId: OrderId; readonly time: Date },
    options?: Abortable,
  ): Promise<void>;

  /** The label of a fulfilled order; none before that, and none once it is cancelled. */
  label(orderId: OrderId, options?: Abortable): Promise<Uint8Array | undefined>;
}

export interface Clock {
  now(): Date;
}

export interface Ports {
  readonly askSuppliers: AskSuppliers;
  readonly drawLabel: DrawLabel;
  readonly fulfilments: Fulfilments;
  readonly clock: Clock;
}
