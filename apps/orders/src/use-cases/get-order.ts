import type { Order } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import { type Abortable, OrderNotFoundError, type Ports } from "./ports.ts";

/** Returns the order in its present version. Throws OrderNotFoundError. */
export async function getOrder(
  { orders }: Pick<Ports, "orders">,
  orderId: OrderId,
  { signal }: Abortable = {},
): Promise<Order> {
  const order = await orders.find(orderId, { signal });
  if (order === undefined) throw new OrderNotFoundError("there is no such order");
  return order;
}
