/**
 * The ports of the use cases. Adapters of Fulfilments pass the contract in `test/fulfilments.ts`.
 */
import type { Abortable } from "@plumbline/concurrency";
import type { Fulfilment, OrderItem, Quote } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";

/**
 * Asks for all items at once. Returns quotes in the order of the items. Throws if one is missing.
 */
export type AskSuppliers = (items: readonly OrderItem[], options?: AskOptions) => Promise<Quote[]>;

export interface AskOptions extends Abortable {
  /** The key of the client that the order counts for; "" if it names none. */
  readonly share?: string | undefined;
}

/** Draws the packing label of an order as a PNG picture, in a fraction of a millisecond. */
export type DrawLabel = (content: { readonly orderId: OrderId; readonly items: readonly OrderItem[] }) => Uint8Array;

/** The limits of what is looked at. */
export interface Owned extends Abortable {
  /** The customer whose orders there are; those of all if not given. */
  readonly owner?: string | undefined;
}

/** The identity of a message, which the inbox records. */
export interface MessageId {
  readonly id: string;
  readonly source: string;
}

/** The outcome of each order. Cancels and fulfilments may arrive in any order, and repeatedly. */
export interface Fulfilments {
  /**
   * Returns `settled` once the order has an outcome, `cancelled` if it was cancelled before, else
   * `open`.
   */
  statusOf(orderId: OrderId, options?: Abortable): Promise<"open" | "settled" | "cancelled">;

  /**
   * Records an outcome, its event and the handled message in one transaction. Has no effect if the
   * message was handled or the order is settled. For a cancelled order, records `withheld` and
   * publishes nothing.
   */
  settle(message: MessageId, fulfilment: Fulfilment, options?: Abortable): Promise<void>;

  /** Records that an order was cancelled, before or after it is placed, and the handled message. */
  cancel(
    message: MessageId,
    cancel: { readonly orderId: OrderId; readonly time: Date },
    options?: Abortable,
  ): Promise<void>;

  /**
   * Returns the label of a fulfilled order, or undefined before that, after a cancel, and for an
   * order of another owner.
   */
  label(orderId: OrderId, options?: Owned): Promise<Uint8Array | undefined>;
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
