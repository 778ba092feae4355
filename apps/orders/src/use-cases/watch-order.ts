import { isTerminal, type Order } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import { type Abortable, OrderNotFoundError, type Ports } from "./ports.ts";

/**
 * The order as it stands, unless its version is `afterVersion` or below, then each newer version; versions that come faster than
 * they are read merge into the newest. Ends after a terminal status. Throws OrderNotFoundError,
 * TooManyWatchersError and the signal's reason.
 */
export async function* watchOrder(
  { orders, changes }: Pick<Ports, "orders" | "changes">,
  { orderId, afterVersion }: { readonly orderId: OrderId; readonly afterVersion: bigint },
  { signal }: Abortable = {},
): AsyncGenerator<Order, void> {
  // Before the first read: what changes after it is announced, what changed before is read.
  using watch = changes.watch(orderId);
  let seen = afterVersion;
  for (;;) {
    const order = await orders.find(orderId, { signal });
    if (order === undefined) throw new OrderNotFoundError("there is no such order");
    if (order.version > seen) {
      seen = order.version;
      yield order;
    }
    if (isTerminal(order)) return;
    // Than what was read, not than what was asked for: a client that names a version yet to come still sees the end.
    await watch.newerThan(order.version, { signal });
  }
}
