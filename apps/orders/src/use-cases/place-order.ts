import { costOf, newOrder, type Order, type OrderRequest } from "../domain/order.ts";
import { type Caller, customerFor } from "./caller.ts";
import type { Abortable, Before, PendingLimits, PendingOrders, Ports } from "./ports.ts";

export interface PlaceOrderOptions extends Abortable {
  /** The client's key for this attempt. A repeat returns the first order, as it was placed. */
  readonly idempotencyKey?: string | undefined;
  /**
   * A hash of the whole request, so that a key cannot stand for two requests that differ in any
   * field.
   */
  readonly requestHash: Uint8Array;
  /** The key of the client that the order counts for. */
  readonly shareKey?: string | undefined;
}

/** The error for an order that is one too many, of its client or in all. */
export class TooManyPendingError extends Error {
  override readonly name = "TooManyPendingError";
  readonly isInAll: boolean;

  constructor(isInAll: boolean) {
    super(
      isInAll
        ? "too many orders wait for an answer; place it again later"
        : "too many orders of this client wait for an answer; place it again once some are answered",
    );
    this.isInAll = isInAll;
  }
}

/** The error for an order of a caller that has placed as many as a minute may have. */
export class OrderQuotaError extends Error {
  override readonly name = "OrderQuotaError";
  /** The time until the caller may place another order. */
  readonly retryAfterMs: number;

  constructor(ordersPerMinute: number, retryAfterMs: number) {
    super(`this caller has placed ${ordersPerMinute} orders within a minute; place it again later`);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The error for text that cannot be an idempotency key. */
export class InvalidIdempotencyKeyError extends Error {
  override readonly name = "InvalidIdempotencyKeyError";
}

/**
 * Places an order, which is pending until the suppliers answered. Throws InvalidOrderError,
 * InvalidIdempotencyKeyError, IdempotencyKeyReusedError, TooManyPendingError, OrderQuotaError and
 * CustomerMismatchError.
 */
export async function placeOrder(
  { orders, clock, newOrderId, settings }: Pick<Ports, "orders" | "clock" | "newOrderId" | "settings">,
  caller: Caller | undefined,
  { customerId, ...rest }: OrderRequest,
  { signal, idempotencyKey, requestHash, shareKey }: PlaceOrderOptions,
): Promise<Order> {
  const request = { ...rest, customerId: customerFor(caller, customerId) };
  const order = newOrder(newOrderId(), request, clock.now());
  const key = idempotencyKey === undefined ? undefined : { key: checkKey(idempotencyKey), bodyHash: requestHash };
  const { pending, quota } = settings();
  // Operators place for others, and callers that are not known have no name to count by.
  const lookBack = caller === undefined || caller.isOperator ? 0 : quota.ordersPerMinute;
  const admit = (before: Before): void => {
    refuseTooMany(order, before, pending);
    if (lookBack > 0) refuseTooSoon(order, before, lookBack);
  };
  const events = [{ type: "placed", order, shareKey }] as const;
  return await orders.add(order, events, { signal, idempotencyKey: key, shareKey, admit, lookBack });
}

const minuteMs = 60_000;

function refuseTooSoon(order: Order, { nthLastMs = 0 }: Before, ordersPerMinute: number): void {
  const leftMs = nthLastMs + minuteMs - order.createTime.getTime();
  if (leftMs > 0) throw new OrderQuotaError(ordersPerMinute, leftMs);
}

function refuseTooMany(order: Order, { ofClient, inAll }: PendingOrders, limits: PendingLimits): void {
  const cost = costOf(order);
  if (ofClient.orders + 1 > limits.ordersPerClient || ofClient.cost + cost > limits.costPerClient)
    throw new TooManyPendingError(false);
  if (inAll.orders + 1 > limits.ordersInAll || inAll.cost + cost > limits.costInAll)
    throw new TooManyPendingError(true);
}

function checkKey(key: string): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new InvalidIdempotencyKeyError("an idempotency key is 1 to 255 printable ASCII characters without spaces");
  }
  return key;
}
