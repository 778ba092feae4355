import { type OrderPlaced, orderPlaced } from "@plumbline/contracts";
import { decodeEvent, type Handler, invalidEvent } from "@plumbline/messaging";
import { fulfilOrder } from "../fulfil/fulfil-order.ts";
import type { Ports } from "../fulfil/ports.ts";
import { isOrderId } from "../order-id.ts";

/** Handles OrderPlaced: fulfils the order, or rejects it. */
export function onOrderPlaced(ports: Ports): Handler {
  return async ({ message, signal }) => {
    const { orderId, items } = decodeEvent(orderPlaced, message);
    const problem = problemOf(orderId, items);
    if (problem !== undefined) throw invalidEvent(message, problem);
    await fulfilOrder(ports, message, { id: orderId, items }, { signal });
  };
}

/** Checks the contract's limits. They bound the cost of a message: supplier requests, and the lines of a label. */
function problemOf(orderId: string, items: OrderPlaced["items"]): string | undefined {
  if (!isOrderId(orderId)) return "order_id is not the id of an order";
  if (items.length < 1 || items.length > 100) return "items must have 1 to 100 entries";
  if (items.some(({ sku }) => !/^[a-z0-9-]{1,64}$/.test(sku))) return "a sku must be 1 to 64 of a-z, 0-9 and -";
  if (items.some(({ quantity }) => quantity < 1 || quantity > 1_000)) return "a quantity must be 1 to 1,000";
  if (new Set(items.map(({ sku }) => sku)).size < items.length) return "a sku occurs twice";
  return undefined;
}
