import { fulfilmentEvents, orderFulfilled, orderRejected } from "@plumbline/contracts";
import { eventMessage, type Message } from "@plumbline/messaging";
import type { Fulfilment } from "./domain/order.ts";

/** The consumer group of this service. A service's name is its group. */
export const group = "worker";

/** Converts a fulfilment into the message for other services, or undefined if it was withheld. */
export function toMessage({ orderId, outcome, time }: Fulfilment): Message | undefined {
  if (outcome.status === "withheld") return undefined;
  const fields = { source: fulfilmentEvents.source, key: orderId, time };
  return outcome.status === "fulfilled"
    ? eventMessage(orderFulfilled, { orderId, total: outcome.total, occurTime: time }, fields)
    : eventMessage(orderRejected, { orderId, reason: outcome.reason, occurTime: time }, fields);
}
