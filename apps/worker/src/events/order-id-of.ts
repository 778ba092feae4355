import { invalidEvent, type Message } from "@plumbline/messaging";
import { type OrderId, parseOrderId } from "../domain/order-id.ts";

/** Returns the id of the order of an event. Throws `invalid_argument` if it cannot be one. */
export function orderIdOf(message: Message, text: string): OrderId {
  const orderId = parseOrderId(text);
  if (orderId === undefined) throw invalidEvent(message, "order_id is not the id of an order");
  return orderId;
}
