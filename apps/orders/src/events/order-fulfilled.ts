import { orderFulfilled } from "@plumbline/contracts";
import { decodeEvent, type Handler, invalidEvent, type Message } from "@plumbline/messaging";
import { InvalidMoneyError, type Money, money } from "../domain/money.ts";
import type { Ports } from "../use-cases/ports.ts";
import { settleOrder } from "../use-cases/settle-order.ts";
import { orderIdOf } from "./order-id-of.ts";

/** Handles OrderFulfilled: fulfils the order for the total that the suppliers ask. */
export function onOrderFulfilled(ports: Pick<Ports, "inbox" | "clock">): Handler {
  return async ({ message, signal }) => {
    const event = decodeEvent(orderFulfilled, message);
    const orderId = orderIdOf(message, event.orderId);
    const outcome = { status: "fulfilled", total: totalOf(message, event.total) } as const;
    await settleOrder(ports, { message, orderId, outcome }, { signal });
  };
}

/** Returns the total of the event. Throws `invalid_argument` if it is no amount. */
function totalOf(message: Message, total: Money | undefined): Money {
  if (total === undefined) throw invalidEvent(message, "the total is missing");
  try {
    return money(total.currencyCode, total.minorUnits);
  } catch (error) {
    throw error instanceof InvalidMoneyError ? invalidEvent(message, error.message, { cause: error }) : error;
  }
}
