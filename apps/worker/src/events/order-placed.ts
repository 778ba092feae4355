import { type OrderPlaced, orderPlaced } from "@plumbline/contracts";
import { violationsOf } from "@plumbline/contracts/bounds";
import { decodeEvent, type Handler, invalidEvent, shareOf } from "@plumbline/messaging";
import { fulfilOrder } from "../use-cases/fulfil-order.ts";
import type { Ports } from "../use-cases/ports.ts";
import { orderIdOf } from "./order-id-of.ts";

/** Handles OrderPlaced: fulfils the order, or rejects it. */
export function onOrderPlaced(ports: Ports): Handler {
  return async ({ message, signal }) => {
    const event = decodeEvent(orderPlaced, message);
    const id = orderIdOf(message, event.orderId);
    const problem = problemOf(event);
    if (problem !== undefined) throw invalidEvent(message, problem);
    const order = { id, customerId: event.customerId, items: event.items };
    await fulfilOrder(ports, message, order, { signal, share: shareOf(message).share });
  };
}

/** Checks the contract's bounds, which limit the supplier requests and the label of an order. */
function problemOf(event: OrderPlaced): string | undefined {
  const [first] = violationsOf("orders.v1.OrderPlaced", event);
  if (first !== undefined) return `${first.field} ${first.description}`;
  return new Set(event.items.map(({ sku }) => sku)).size < event.items.length ? "a sku occurs twice" : undefined;
}
