import type { Order } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import { type Caller, ownerFor } from "./caller.ts";
import { type Abortable, OrderNotFoundError, type Ports } from "./ports.ts";

/**
 * Returns the order in its present version. Throws OrderNotFoundError, for an order of another
 * customer too.
 */
export async function getOrder(
  { orders }: Pick<Ports, "orders">,
  caller: Caller | undefined,
  orderId: OrderId,
  { signal }: Abortable = {},
): Promise<Order> {
  const order = await orders.find(orderId, { owner: ownerFor(caller), signal });
  if (order === undefined) throw new OrderNotFoundError("there is no such order");
  return order;
}
