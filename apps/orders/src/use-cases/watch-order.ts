import { isTerminal, type Order } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import { type Caller, ownerFor } from "./caller.ts";
import { type Abortable, OrderNotFoundError, type Ports } from "./ports.ts";

/**
 * Yields the order if its version is above `afterVersion`, then each newer version. Versions that
 * come faster than they are read merge into the newest. Ends after a terminal status. Throws
 * OrderNotFoundError, for an order of another customer too, TooManyWatchersError and the signal's
 * reason.
 */
export async function* watchOrder(
  { orders, changes }: Pick<Ports, "orders" | "changes">,
  caller: Caller | undefined,
  { orderId, afterVersion }: { readonly orderId: OrderId; readonly afterVersion: bigint },
  { signal }: Abortable = {},
): AsyncGenerator<Order, void> {
  // Watch before the first read, so that a change is either read or announced.
  using watch = changes.watch(orderId);
  let seen = afterVersion;
  for (;;) {
    const order = await orders.find(orderId, { owner: ownerFor(caller), signal });
    if (order === undefined) throw new OrderNotFoundError("there is no such order");
    if (order.version > seen) {
      seen = order.version;
      yield order;
    }
    if (isTerminal(order)) return;
    // Newer than the version read, not than `afterVersion`, which may be a future version.
    await watch.newerThan(order.version, { signal });
  }
}
