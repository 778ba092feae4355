import { orderCancelled } from "@plumbline/contracts";
import { decodeEvent, type Handler } from "@plumbline/messaging";
import type { Ports } from "../use-cases/ports.ts";
import { orderIdOf } from "./order-id-of.ts";

/**
 * Handles OrderCancelled: withholds the label of the order. An order that is not fulfilled yet will
 * not be. The event may arrive before the order's own, since retry topics keep no order per key.
 */
export function onOrderCancelled({ fulfilments, clock }: Pick<Ports, "fulfilments" | "clock">): Handler {
  return async ({ message, signal }) => {
    const { orderId, occurTime } = decodeEvent(orderCancelled, message);
    const cancel = { orderId: orderIdOf(message, orderId), time: occurTime ?? clock.now() };
    await fulfilments.cancel(message, cancel, { signal });
  };
}
