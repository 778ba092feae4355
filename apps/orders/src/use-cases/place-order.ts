import { newOrder, type Order, type OrderRequest } from "../domain/order.ts";
import type { Abortable, Ports } from "./ports.ts";

export interface PlaceOrderOptions extends Abortable {
  /** The client's key for this attempt. A repeat returns the first order, as it was placed. */
  readonly idempotencyKey?: string | undefined;
  /**
   * A hash of the whole request, so that a key cannot stand for two requests that differ in any
   * field.
   */
  readonly requestHash: Uint8Array;
}

/** The error for text that cannot be an idempotency key. */
export class InvalidIdempotencyKeyError extends Error {
  override readonly name = "InvalidIdempotencyKeyError";
}

/**
 * Places an order, which is pending until the suppliers answered. Throws InvalidOrderError,
 * InvalidIdempotencyKeyError and IdempotencyKeyReusedError.
 */
export async function placeOrder(
  { orders, clock, newOrderId }: Pick<Ports, "orders" | "clock" | "newOrderId">,
  request: OrderRequest,
  { signal, idempotencyKey, requestHash }: PlaceOrderOptions,
): Promise<Order> {
  const order = newOrder(newOrderId(), request, clock.now());
  const key = idempotencyKey === undefined ? undefined : { key: checkKey(idempotencyKey), bodyHash: requestHash };
  return await orders.add(order, [{ type: "placed", order }], { signal, idempotencyKey: key });
}

function checkKey(key: string): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new InvalidIdempotencyKeyError("an idempotency key is 1 to 255 printable ASCII characters without spaces");
  }
  return key;
}
