import { createHash } from "node:crypto";
import type { Order } from "../domain/order.ts";
import { newOrder, type OrderItem } from "../domain/order.ts";
import type { Abortable, Ports } from "./ports.ts";

export interface PlaceOrder {
  readonly customerId: string;
  readonly items: readonly OrderItem[];
  /** The client's name for this attempt: placing again under it returns the order placed first, as it was placed. */
  readonly idempotencyKey?: string | undefined;
}

/** The idempotency key is no key. */
export class InvalidIdempotencyKeyError extends Error {
  override readonly name = "InvalidIdempotencyKeyError";
}

/**
 * Accepts an order: it is pending until the suppliers have answered. Throws InvalidOrderError,
 * InvalidIdempotencyKeyError and IdempotencyKeyReusedError.
 */
export async function placeOrder(
  { orders, clock, newOrderId }: Pick<Ports, "orders" | "clock" | "newOrderId">,
  command: PlaceOrder,
  { signal }: Abortable = {},
): Promise<Order> {
  const order = newOrder(newOrderId(), command, clock.now());
  return await orders.add(order, [{ type: "placed", order }], {
    signal,
    idempotencyKey:
      command.idempotencyKey === undefined
        ? undefined
        : { key: checkKey(command.idempotencyKey), bodyHash: hash(order.items) },
  });
}

function checkKey(key: string): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new InvalidIdempotencyKeyError("an idempotency key is 1 to 255 printable ASCII characters without spaces");
  }
  return key;
}

/** Of what was asked, without the customer: a key belongs to one. */
function hash(items: readonly OrderItem[]): Uint8Array {
  return createHash("sha256")
    .update(JSON.stringify(items.map(({ sku, quantity }) => [sku, quantity])))
    .digest();
}
