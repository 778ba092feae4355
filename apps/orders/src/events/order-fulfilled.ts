import { OrderFulfilled } from "@plumbline/contracts";
import type { Handler } from "@plumbline/messaging";
import { money } from "../domain/money.ts";
import type { Outcome } from "../domain/order.ts";
import type { Ports } from "../use-cases/ports.ts";
import { settleOrder } from "../use-cases/settle-order.ts";
import { decoded } from "./decoded.ts";

/** Every item was supplied: the order is fulfilled for the price the suppliers named. */
export function onOrderFulfilled(ports: Pick<Ports, "inbox" | "clock">): Handler {
  return async ({ message, signal }) => {
    const { orderId, outcome } = decoded(message, read);
    await settleOrder(ports, { message, orderId, outcome }, { signal });
  };
}

function read(data: Uint8Array): { orderId: string; outcome: Outcome } {
  const { orderId, total } = OrderFulfilled.decode(data);
  // An answer without a total has no currency either, and is refused for it.
  return {
    orderId,
    outcome: { status: "fulfilled", total: money(total?.currencyCode ?? "", total?.minorUnits ?? 0n) },
  };
}
