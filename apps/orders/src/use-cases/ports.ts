/** What the use cases need from outside. Every adapter passes the contract in `test/ports.ts`. */
import type { Order } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";

export interface Abortable {
  /** Aborts when nobody waits for the answer any more: whatever runs then stops and rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A fact the rest of the system learns once the change behind it is committed, and never otherwise. */
export interface OrderEvent {
  readonly type: "placed" | "cancelled";
  /** The order after the change. */
  readonly order: Order;
}

/** A client's name for one attempt to place an order, so that a repeat of it places nothing. */
export interface IdempotencyKey {
  /** Of one customer and one method. */
  readonly key: string;
  /** Of what was asked: the same key for something else is a mistake. */
  readonly bodyHash: Uint8Array;
}

/** The key was used for another request within the last 24 hours. */
export class IdempotencyKeyReusedError extends Error {
  override readonly name = "IdempotencyKeyReusedError";
}

export class OrderNotFoundError extends Error {
  override readonly name = "OrderNotFoundError";
}

/** How a new order is added. */
export interface AddOptions extends Abortable {
  readonly idempotencyKey?: IdempotencyKey | undefined;
  /**
   * Checks a new order against rules that change while the service runs. It is not called for a
   * repeat, which gets its first answer under any rules. What it throws is thrown, nothing is
   * stored, and the key stays free.
   */
  readonly admit?: (() => void) | undefined;
}

export interface Orders {
  find(id: OrderId, options?: Abortable): Promise<Order | undefined>;

  /** At most `limit` orders of a customer, the newest first, older than the order `before`. */
  list(
    query: { readonly customerId: string; readonly before?: OrderId | undefined; readonly limit: number },
    options?: Abortable,
  ): Promise<Order[]>;

  /**
   * Stores a new order, its events and its key in one transaction and returns it. Where the key has been used for the
   * same body, nothing is stored and the order placed then is returned; of several at once one is placed and all
   * get it. Throws IdempotencyKeyReusedError for another body.
   */
  add(order: Order, events: readonly OrderEvent[], options?: AddOptions): Promise<Order>;

  /**
   * Reads the order so that nobody else changes it, lets `decide` make the next one and stores that with its events in one
   * transaction. Returning the order itself stores nothing. Throws OrderNotFoundError, and what `decide` throws.
   */
  change(
    id: OrderId,
    decide: (order: Order) => { readonly order: Order; readonly events: readonly OrderEvent[] },
    options?: Abortable,
  ): Promise<Order>;
}

/** Has each message take effect once, however often it is delivered. */
export interface Inbox {
  /** Runs `effect` unless this message has had it; the note that it had is stored with the effect or not at all. */
  once(
    message: { readonly id: string; readonly source: string },
    effect: (orders: Pick<Orders, "change">) => Promise<void>,
    options?: Abortable,
  ): Promise<void>;
}

/** Says that an order has changed, in whichever process. */
export interface OrderChanges {
  /** Hears of each change committed after this returns. Throws TooManyWatchersError at the bound. */
  watch(orderId: OrderId): OrderWatch;
}

export interface OrderWatch extends Disposable {
  /**
   * Resolves once a version above `version` may be there: one was announced since the watch began, or announcements may
   * have been missed. Holds nothing but the latest version announced, so changes a watcher was too slow for merge.
   */
  newerThan(version: bigint, options?: Abortable): Promise<void>;
}

/** This process follows as many orders as it may. */
export class TooManyWatchersError extends Error {
  override readonly name = "TooManyWatchersError";
}

export interface Clock {
  now(): Date;
}

/** The settings that may change while the service runs. */
export interface LiveSettings {
  readonly watch: { readonly maxAgeMs: number };
}

export interface Ports {
  readonly orders: Orders;
  readonly inbox: Inbox;
  readonly changes: OrderChanges;
  readonly clock: Clock;
  readonly newOrderId: () => OrderId;
  /** Returns the settings in force. */
  readonly settings: () => LiveSettings;
}
