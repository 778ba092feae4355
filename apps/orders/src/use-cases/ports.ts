/** The ports of the use cases. Every adapter passes the contract in `test/ports.ts`. */
import type { Order } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";

export interface Abortable {
  /** Aborts when the result is no longer needed. Work in flight then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The limits of what is looked at. */
export interface Owned extends Abortable {
  /** The customer whose orders there are; those of all if not given. */
  readonly owner?: string | undefined;
}

/** A fact that is published if and only if its change commits. */
export interface OrderEvent {
  readonly type: "placed" | "cancelled";
  /** The order after the change. */
  readonly order: Order;
  /** The key of the client that asked for the change. Its work counts for that client's share. */
  readonly shareKey?: string | undefined;
}

/** The orders that are not answered yet, and their cost: one for each item. */
export interface Pending {
  readonly orders: number;
  readonly cost: number;
}

/** The unanswered orders of one client, and of all. */
export interface PendingOrders {
  readonly ofClient: Pending;
  readonly inAll: Pending;
}

/** The orders before a new one, as its rules see them. */
export interface Before extends PendingOrders {
  /**
   * The Unix milliseconds at which the customer placed its nth order, counted back from the last,
   * where n is `lookBack`. Undefined if there are fewer, whatever became of them.
   */
  readonly nthLastMs: number | undefined;
}

/** A client's key for one attempt to place an order, so that a repeat places nothing. */
export interface IdempotencyKey {
  /** Unique for one customer and one method. */
  readonly key: string;
  /** The hash of the request. The same key for another request is an error. */
  readonly bodyHash: Uint8Array;
}

/** The error for a key that was used for another request within the last 24 hours. */
export class IdempotencyKeyReusedError extends Error {
  override readonly name = "IdempotencyKeyReusedError";
}

export class OrderNotFoundError extends Error {
  override readonly name = "OrderNotFoundError";
}

/** The idempotency key of a new order, and its admission. */
export interface AddOptions extends Abortable {
  readonly idempotencyKey?: IdempotencyKey | undefined;
  /**
   * Checks a new order against rules that change while the service runs. It is not called for a
   * repeat, which gets its first answer under any rules. If it throws, nothing is stored and the
   * key stays free. It gets the orders that are unanswered before this one. Those in all may be two
   * seconds old, and orders that are placed at the same moment do not see each other.
   */
  readonly admit?: ((before: Before) => void) | undefined;
  /** The number of the customer's last orders that `admit` looks back; none if absent. */
  readonly lookBack?: number | undefined;
  /**
   * The key of the client that the order counts for until it is answered, or for a minute after its
   * cancel: the worker may be at it still. It is not part of the order.
   */
  readonly shareKey?: string | undefined;
}

export interface Orders {
  /** Returns undefined for an order of another owner too. */
  find(id: OrderId, options?: Owned): Promise<Order | undefined>;

  /**
   * Returns orders of a customer, the newest first, older than `before`: at most `limit`, and fewer
   * once their items have `maxBytes` as JSON, but at least one.
   */
  list(query: OrdersQuery, options?: Abortable): Promise<OrdersFound>;

  /**
   * Stores a new order, its events and its key in one transaction, and returns the order. If the
   * key was used for the same body, stores nothing and returns the order as it was placed then. If
   * several use the key at once, one order is stored and all return it. Throws
   * IdempotencyKeyReusedError for another body.
   */
  add(order: Order, events: readonly OrderEvent[], options?: AddOptions): Promise<Order>;

  /**
   * Locks the order, and stores the order and events that `decide` returns in one transaction. If
   * `decide` returns the order itself, nothing is stored. Throws OrderNotFoundError, for an order
   * of another owner too, and the errors of `decide`.
   */
  change(id: OrderId, decide: Decide, options?: Owned): Promise<Order>;
}

/** Returns the changed order with the events of the change, or the order itself. */
export type Decide = (order: Order) => { readonly order: Order; readonly events: readonly OrderEvent[] };

export interface OrdersQuery {
  readonly customerId: string;
  readonly before?: OrderId | undefined;
  readonly limit: number;
  readonly maxBytes: number;
}

export interface OrdersFound {
  readonly orders: readonly Order[];
  /** True if older orders follow. */
  readonly more: boolean;
}

/** The record of handled messages, which gives each one effect however often it is delivered. */
export interface Inbox {
  /**
   * Changes an order as `Orders.change` does, unless the message is recorded, and records it in the
   * same transaction.
   */
  changeOnce(
    message: { readonly id: string; readonly source: string },
    id: OrderId,
    decide: Decide,
    options?: Abortable,
  ): Promise<void>;
}

/** The changes of orders, made by any process. */
export interface OrderChanges {
  /** Watches for changes that commit after this returns. Throws TooManyWatchersError. */
  watch(orderId: OrderId): OrderWatch;
}

export interface OrderWatch extends Disposable {
  /**
   * Resolves once a version above `version` may exist: it was announced since the watch began, or
   * announcements may have been missed. Only the latest version is kept, so changes merge for a
   * slow watcher.
   */
  newerThan(version: bigint, options?: Abortable): Promise<void>;
}

/** The error for a watcher beyond the limit of this process. */
export class TooManyWatchersError extends Error {
  override readonly name = "TooManyWatchersError";
}

export interface Clock {
  now(): Date;
}

/** The settings that may change while the service runs. */
export interface LiveSettings {
  readonly pending: PendingLimits;
  /** The orders that one caller may place in a minute; 0 sets no limit. */
  readonly quota: { readonly ordersPerMinute: number };
  readonly watch: { readonly maxAgeMs: number };
}

/** The most unanswered orders, and their cost, of one client and in all. */
export interface PendingLimits {
  readonly ordersPerClient: number;
  readonly costPerClient: number;
  readonly ordersInAll: number;
  readonly costInAll: number;
}

/** Behaviour that differs for a share of the customers. */
export interface Rollouts {
  /** Returns the size of a page for a customer who does not ask for one. */
  pageSize(customerId: string): number;
}

export interface Ports {
  readonly orders: Orders;
  readonly inbox: Inbox;
  readonly changes: OrderChanges;
  readonly clock: Clock;
  readonly newOrderId: () => OrderId;
  /** Returns the settings in force. */
  readonly settings: () => LiveSettings;
  readonly rollouts: Rollouts;
}
