import { orderCancelled, orderPlaced } from "@plumbline/contracts";
import { eventMessage, type Message } from "@plumbline/messaging";
import type { OrderEvent } from "./use-cases/ports.ts";

/** The consumer group of this service. A service's name is its group. */
export const group = "orders";

/** Converts what happened to an order into the message that other services read. */
export function toMessage({ type, order }: OrderEvent): Message {
  const { id: orderId, customerId, version, updateTime: occurTime } = order;
  const fields = { source: "/plumbline/orders", key: orderId, time: occurTime };
  if (type === "cancelled") return eventMessage(orderCancelled, { orderId, version, occurTime }, fields);
  const items = order.items.map(({ sku, quantity }) => ({ sku, quantity }));
  return eventMessage(orderPlaced, { orderId, customerId, items, version, occurTime }, fields);
}
