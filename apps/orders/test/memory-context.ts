import type { Message } from "@plumbline/messaging";
import { noTelemetry } from "@plumbline/telemetry";
import { toMessage } from "../src/event-messages.ts";
import { MemoryOrders } from "../src/memory/orders.ts";
import { OrderWatchers } from "../src/watchers/order-watchers.ts";
import type { TestContext } from "./ports.ts";

/** Opens the ports within this process. */
export async function openMemoryContext(): Promise<TestContext> {
  const messages: Message[] = [];
  const watchers = new OrderWatchers(100, noTelemetry);
  const orders = new MemoryOrders({
    publish: (events) => messages.push(...events.map(toMessage)),
    onChange: ({ id, version }) => watchers.announce(id, version),
  });
  return {
    orders,
    inbox: orders,
    changes: watchers,
    announced: () => messages,
    [Symbol.asyncDispose]: async () => {},
  };
}
