import { orderCancelled } from "@plumbline/contracts";
import { decodeEvent, type Handler, invalidEvent } from "@plumbline/messaging";
import type { Ports } from "../fulfil/ports.ts";
import { isOrderId } from "../order-id.ts";

/**
 * Handles OrderCancelled: withholds the label of the order. An order that is not fulfilled yet will
 * not be. The event may arrive before the order's own, since retry topics keep no order per key.
 */
export function onOrderCancelled({ fulfilments, clock }: Pick<Ports, "fulfilments" | "clock">): Handler {
  return async ({ message, signal }) => {
    const { orderId, occurTime } = decodeEvent(orderCancelled, message);
    if (!isOrderId(orderId)) throw invalidEvent(message, "order_id is not the id of an order");
    await fulfilments.cancel(message, { orderId, time: occurTime ?? clock.now() }, { signal });
  };
}
