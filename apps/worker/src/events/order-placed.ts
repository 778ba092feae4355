import { type OrderPlaced, orderPlaced } from "@plumbline/contracts";
import { violationsOf } from "@plumbline/contracts/bounds";
import { decodeEvent, type Handler, invalidEvent } from "@plumbline/messaging";
import { fulfilOrder } from "../fulfil/fulfil-order.ts";
import type { Ports } from "../fulfil/ports.ts";
import { isOrderId } from "../order-id.ts";

/** Handles OrderPlaced: fulfils the order, or rejects it. */
export function onOrderPlaced(ports: Ports): Handler {
  return async ({ message, signal }) => {
    const event = decodeEvent(orderPlaced, message);
    const problem = problemOf(event);
    if (problem !== undefined) throw invalidEvent(message, problem);
    await fulfilOrder(ports, message, { id: event.orderId, items: event.items }, { signal });
  };
}

/** Checks the contract's bounds. They limit the cost of a message: supplier requests, and the lines of a label. */
function problemOf(event: OrderPlaced): string | undefined {
  if (!isOrderId(event.orderId)) return "order_id is not the id of an order";
  const [first] = violationsOf("orders.v1.OrderPlaced", event);
  if (first !== undefined) return `${first.field} ${first.description}`;
  return new Set(event.items.map(({ sku }) => sku)).size < event.items.length ? "a sku occurs twice" : undefined;
}
