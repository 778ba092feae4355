import { OrderCancelled } from "@plumbline/contracts";
import type { Handler } from "@plumbline/messaging";
import type { Ports } from "../fulfil/ports.ts";
import { isOrderId } from "../order-id.ts";
import { decoded, refused } from "./decoded.ts";

/**
 * The customer ended an order: its label is withheld from now on, and where it is not fulfilled yet it will not be. The
 * message may come before the order's own, since a retry topic gives up order per key.
 */
export function onOrderCancelled({ fulfilments, clock }: Pick<Ports, "fulfilments" | "clock">): Handler {
  return async ({ message, signal }) => {
    const { orderId, occurTime } = decoded(OrderCancelled, message);
    if (!isOrderId(orderId)) throw refused(message, "order_id is not the id of an order");
    await fulfilments.cancel(message, { orderId, time: occurTime ?? clock.now() }, { signal });
  };
}
