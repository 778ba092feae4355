import type { Order } from "../domain/order.ts";
import { isOrderId } from "../domain/order-id.ts";
import { type Abortable, OrderNotFoundError, type Ports } from "./ports.ts";

/** The order as it stands. Throws OrderNotFoundError, also for what cannot be an id. */
export async function getOrder(
  { orders }: Pick<Ports, "orders">,
  orderId: string,
  { signal }: Abortable = {},
): Promise<Order> {
  const order = isOrderId(orderId) ? await orders.find(orderId, { signal }) : undefined;
  if (order === undefined) throw new OrderNotFoundError("there is no such order");
  return order;
}
