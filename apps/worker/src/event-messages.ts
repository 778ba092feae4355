import { OrderFulfilled, OrderRejected } from "@plumbline/contracts";
import { createMessage, type Message } from "@plumbline/messaging";
import type { Fulfilment } from "./fulfil/order.ts";

export const ordersTopic = "orders.events";
export const fulfilmentTopic = "fulfilment.events";
/** A service's name is its group. */
export const group = "worker";
/** Fixed when a topic is created: orders are shared out over them by id. */
export const partitions = 6;

/** What came of an order, as others read it; nothing where there is nothing to say. */
export function toMessage({ orderId, outcome, time }: Fulfilment): Message | undefined {
  if (outcome.status === "withheld") return undefined;
  const event =
    outcome.status === "fulfilled"
      ? {
          type: "fulfilment.v1.OrderFulfilled",
          data: OrderFulfilled.encode({ orderId, total: outcome.total, occurTime: time }).finish(),
        }
      : {
          type: "fulfilment.v1.OrderRejected",
          data: OrderRejected.encode({ orderId, reason: outcome.reason, occurTime: time }).finish(),
        };
  return createMessage({
    ...event,
    source: "/plumbline/worker",
    key: orderId,
    time,
    contentType: "application/protobuf",
  });
}
