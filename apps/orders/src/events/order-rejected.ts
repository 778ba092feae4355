import { OrderRejected } from "@plumbline/contracts";
import type { Handler } from "@plumbline/messaging";
import type { Ports } from "../use-cases/ports.ts";
import { settleOrder } from "../use-cases/settle-order.ts";
import { decoded } from "./decoded.ts";

/** Something cannot be supplied: the order is rejected, with the reason the customer reads. */
export function onOrderRejected(ports: Pick<Ports, "inbox" | "clock">): Handler {
  return async ({ message, signal }) => {
    const { orderId, reason } = decoded(message, (data) => OrderRejected.decode(data));
    await settleOrder(ports, { message, orderId, outcome: { status: "rejected", reason } }, { signal });
  };
}
