import { cancel, type Order } from "../domain/order.ts";
import { isOrderId } from "../domain/order-id.ts";
import { type Abortable, OrderNotFoundError, type Ports } from "./ports.ts";

/**
 * Ends a pending order. Cancelling it again returns it and announces nothing. Throws OrderNotFoundError,
 * OrderAlreadyFulfilledError and OrderAlreadyRejectedError.
 */
export async function cancelOrder(
  { orders, clock }: Pick<Ports, "orders" | "clock">,
  orderId: string,
  { signal }: Abortable = {},
): Promise<Order> {
  if (!isOrderId(orderId)) throw new OrderNotFoundError("there is no such order");
  return await orders.change(
    orderId,
    (order) => {
      const next = cancel(order, clock.now());
      return { order: next, events: next === order ? [] : [{ type: "cancelled", order: next }] };
    },
    { signal },
  );
}
