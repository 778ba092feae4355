import { orderCancelled, orderPlaced, ordersEvents } from "@plumbline/contracts";
import { eventMessage, type Message, shareHeaders } from "@plumbline/messaging";
import { costOf } from "./domain/order.ts";
import { toOrderMessage } from "./order-message.ts";
import type { OrderEvent } from "./use-cases/ports.ts";

/** The consumer group of this service. A service's name is its group. */
export const group = "orders";

/** Converts what happened to an order into the message that other services read. */
export function toMessage({ type, order, shareKey }: OrderEvent): Message {
  const { id: orderId, updateTime: occurTime } = order;
  // An event has the fields of the order that its proto names; the codec writes no others.
  const event = { ...toOrderMessage(order), orderId, occurTime };
  const headers = shareKey === undefined ? {} : shareHeaders(shareKey, type === "placed" ? costOf(order) : 1);
  const fields = { source: ordersEvents.source, key: orderId, time: occurTime, headers };
  return type === "cancelled" ? eventMessage(orderCancelled, event, fields) : eventMessage(orderPlaced, event, fields);
}
