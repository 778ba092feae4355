import { OrderPlaced } from "@plumbline/contracts";
import type { Handler } from "@plumbline/messaging";
import { fulfilOrder } from "../fulfil/fulfil-order.ts";
import type { Ports } from "../fulfil/ports.ts";
import { isOrderId } from "../order-id.ts";
import { decoded, refused } from "./decoded.ts";

/** An order was accepted: fulfil it, or reject it. */
export function onOrderPlaced(ports: Ports): Handler {
  return async ({ message, signal }) => {
    const { orderId, items } = decoded(OrderPlaced, message);
    const problem = problemOf(orderId, items);
    if (problem !== undefined) throw refused(message, problem);
    await fulfilOrder(ports, message, { id: orderId, items }, { signal });
  };
}

/** The contract's limits. They bound what one message can cost: requests to suppliers, and what a label lists. */
function problemOf(orderId: string, items: OrderPlaced["items"]): string | undefined {
  if (!isOrderId(orderId)) return "order_id is not the id of an order";
  if (items.length < 1 || items.length > 100) return "items must have 1 to 100 entries";
  if (items.some(({ sku }) => !/^[a-z0-9-]{1,64}$/.test(sku))) return "a sku is not one";
  if (items.some(({ quantity }) => quantity < 1 || quantity > 1_000)) return "a quantity is not from 1 to 1,000";
  if (new Set(items.map(({ sku }) => sku)).size < items.length) return "a sku occurs twice";
  return undefined;
}
