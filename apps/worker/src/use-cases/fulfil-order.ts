import type { Outcome, PlacedOrder } from "../domain/order.ts";
import { weighQuotes } from "../domain/weigh-quotes.ts";
import type { AskOptions, MessageId, Ports } from "./ports.ts";

/**
 * Asks the suppliers of an order, draws its label and records the outcome, once for each order.
 * Throws if a supplier or the drawing fails. Then nothing is recorded, and the call can be retried.
 */
export async function fulfilOrder(
  ports: Ports,
  message: MessageId,
  order: PlacedOrder,
  { signal, share }: AskOptions = {},
): Promise<void> {
  // A repeat asks no supplier. `settle` checks again in its transaction.
  const status = await ports.fulfilments.statusOf(order.id, { signal });
  if (status === "settled") return;
  // No transaction is open during the requests, which may take long.
  const outcome: Outcome =
    status === "cancelled" ? { status: "withheld" } : await outcomeOf(ports, order, { signal, share });
  const { id: orderId, customerId } = order;
  await ports.fulfilments.settle(message, { orderId, customerId, outcome, time: ports.clock.now() }, { signal });
}

async function outcomeOf(ports: Ports, order: PlacedOrder, { signal, share }: AskOptions): Promise<Outcome> {
  const quotes = await ports.askSuppliers(order.items, { signal, share });
  const verdict = weighQuotes(order.items, quotes);
  if (verdict.status === "rejected") return verdict;
  const label = ports.drawLabel({ orderId: order.id, items: order.items });
  return { status: "fulfilled", total: verdict.total, label };
}
