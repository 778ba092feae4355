import { OrderCancelled, OrderPlaced } from "@plumbline/contracts";
import { createMessage, type Message } from "@plumbline/messaging";
import type { OrderEvent } from "./use-cases/ports.ts";

export const ordersTopic = "orders.events";
export const answersTopic = "fulfilment.events";
/** A service's name is its group. */
export const group = "orders";
/** Fixed when a topic is created: orders are shared out over them by id. */
export const partitions = 6;

/** What happened to an order, as others read it: CloudEvents attributes around the event's protobuf encoding. */
export function toMessage(event: OrderEvent): Message {
  return createMessage({
    source: "/plumbline/orders",
    type: event.type,
    key: event.order.id,
    time: event.order.updateTime,
    contentType: "application/protobuf",
    data: encode(event),
  });
}

function encode({ type, order }: OrderEvent): Uint8Array {
  const { id: orderId, customerId, version, updateTime: occurTime } = order;
  if (type === "orders.v1.OrderCancelled") return OrderCancelled.encode({ orderId, version, occurTime }).finish();
  const items = order.items.map(({ sku, quantity }) => ({ sku, quantity }));
  return OrderPlaced.encode({ orderId, customerId, items, version, occurTime }).finish();
}
