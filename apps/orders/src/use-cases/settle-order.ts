import { type Order, type Outcome, settle } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import type { Abortable, Ports } from "./ports.ts";

/** The outcome of an order, in a message that may arrive more than once. */
export interface Answer {
  readonly message: { readonly id: string; readonly source: string };
  readonly orderId: OrderId;
  readonly outcome: Outcome;
}

/**
 * Fulfils or rejects an order, once per message. If the order has ended, the message is recorded
 * and changes nothing. Throws OrderNotFoundError for an order that was never placed: somebody must
 * look at that message.
 */
export async function settleOrder(
  { inbox, clock }: Pick<Ports, "inbox" | "clock">,
  { message, orderId, outcome }: Answer,
  { signal }: Abortable = {},
): Promise<void> {
  const decide = (order: Order) => ({ order: settle(order, outcome, clock.now()), events: [] });
  await inbox.changeOnce(message, orderId, decide, { signal });
}
