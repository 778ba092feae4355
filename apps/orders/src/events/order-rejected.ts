import { orderRejected } from "@plumbline/contracts";
import { decodeEvent, type Handler } from "@plumbline/messaging";
import type { Ports } from "../use-cases/ports.ts";
import { settleOrder } from "../use-cases/settle-order.ts";
import { orderIdOf } from "./order-id-of.ts";

/** Handles OrderRejected: rejects the order, with the reason that the customer reads. */
export function onOrderRejected(ports: Pick<Ports, "inbox" | "clock">): Handler {
  return async ({ message, signal }) => {
    const { orderId, reason } = decodeEvent(orderRejected, message);
    const answer = { message, orderId: orderIdOf(message, orderId), outcome: { status: "rejected", reason } } as const;
    await settleOrder(ports, answer, { signal });
  };
}
