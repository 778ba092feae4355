/** The events that the service handles, over memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { orderPlaced } from "@plumbline/contracts";
import { eventMessage, type Message } from "@plumbline/messaging";
import { noTelemetry } from "@plumbline/telemetry";
import { createApp } from "../src/app.ts";
import { MemorySpareParts } from "../src/memory/spare-parts.ts";

function placed(orderId: string): Message {
  const event = { orderId, customerId: "ada", items: [], version: 1n, occurTime: new Date() };
  return eventMessage(orderPlaced, event, { source: "/plumbline/orders", key: orderId, time: new Date() });
}

function deliver(spareParts: MemorySpareParts, message: Message): Promise<void> {
  const { signal } = new AbortController();
  const { onOrderEvent } = createApp({ spareParts });
  return onOrderEvent(noTelemetry)({ topic: "orders.events", group: "spare-part", message, attempt: 1, signal });
}

test("a placed order creates one spare part, however often the event is delivered", async () => {
  const spareParts = new MemorySpareParts();
  const message = placed("0197");
  await deliver(spareParts, message);
  await deliver(spareParts, message);
  assert.equal((await spareParts.find("0197"))?.name, "order of ada");
});

test("an event without an order's id is refused for good", async () => {
  const spareParts = new MemorySpareParts();
  await assert.rejects(deliver(spareParts, placed("")), { code: "invalid_argument" });
});
