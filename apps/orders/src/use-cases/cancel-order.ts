import { cancel, type Order } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import { type Caller, ownerFor } from "./caller.ts";
import type { Abortable, Ports } from "./ports.ts";

/**
 * Cancels a pending order. A repeat returns it unchanged and publishes nothing. Throws
 * OrderNotFoundError, for an order of another customer too, OrderAlreadyFulfilledError and
 * OrderAlreadyRejectedError.
 */
export async function cancelOrder(
  { orders, clock }: Pick<Ports, "orders" | "clock">,
  caller: Caller | undefined,
  orderId: OrderId,
  { signal, shareKey }: Abortable & { readonly shareKey?: string | undefined } = {},
): Promise<Order> {
  return await orders.change(
    orderId,
    (order) => {
      const next = cancel(order, clock.now());
      return { order: next, events: next === order ? [] : [{ type: "cancelled", order: next, shareKey }] };
    },
    { owner: ownerFor(caller), signal },
  );
}
