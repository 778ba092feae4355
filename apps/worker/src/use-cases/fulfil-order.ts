import type { Abortable } from "@plumbline/concurrency";
import type { Outcome, PlacedOrder } from "../domain/order.ts";
import { weighQuotes } from "../domain/weigh-quotes.ts";
import type { MessageName, Ports } from "./ports.ts";

/**
 * Asks the suppliers of an order, draws its label and records what came of it, once however often it is called for the
 * same order. Throws where a supplier or the drawing fails: nothing is recorded then, and calling again is right.
 */
export async function fulfilOrder(
  ports: Ports,
  message: MessageName,
  order: PlacedOrder,
  { signal }: Abortable = {},
): Promise<void> {
  // A repeat asks nobody. `settle` looks again, in its transaction, as both may have changed by then.
  const status = await ports.fulfilments.statusOf(order.id, { signal });
  if (status === "settled") return;
  // No transaction is open while others are asked and the label is drawn: that takes as long as it takes.
  const outcome: Outcome = status === "cancelled" ? { status: "withheld" } : await outcomeOf(ports, order, { signal });
  await ports.fulfilments.settle(message, { orderId: order.id, outcome, time: ports.clock.now() }, { signal });
}

async function outcomeOf(ports: Ports, order: PlacedOrder, { signal }: Abortable): Promise<Outcome> {
  const quotes = await ports.askSuppliers(order.items, { signal });
  const verdict = weighQuotes(order.items, quotes);
  if (verdict.status === "rejected") return verdict;
  const label = await ports.drawLabel({ orderId: order.id, items: order.items }, { signal });
  return { status: "fulfilled", total: verdict.total, label };
}
