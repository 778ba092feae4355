import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { noTelemetry, startTelemetry } from "@plumbline/telemetry";
import type { Delivery, Handler } from "./broker.ts";
import { byType } from "./by-type.ts";
import { message } from "./conformance/test-context.ts";

const delivery = (type: string): Delivery => ({
  topic: "orders.events",
  group: "worker",
  message: { ...message("a"), type },
  attempt: 1,
  signal: new AbortController().signal,
});

test("a message goes to the handler of its type, with the whole delivery", async () => {
  const received: unknown[] = [];
  const record =
    (name: string): Handler =>
    async (given) =>
      void received.push([name, given]);
  const handler = byType(
    {
      "orders.v1.OrderPlaced": record("placed"),
      "orders.v1.OrderCancelled": record("cancelled"),
    },
    noTelemetry,
  );
  const cancelled = delivery("orders.v1.OrderCancelled");
  await handler(cancelled);
  assert.deepEqual(received, [["cancelled", cancelled]]);
});

test("a handler's failure is the failure of the delivery", async () => {
  const handler = byType(
    { "orders.v1.OrderPlaced": async () => Promise.reject(new Error("database is down")) },
    noTelemetry,
  );
  await assert.rejects(handler(delivery("orders.v1.OrderPlaced")), /database is down/);
});

const known = [{ type: "orders.v1.OrderPlaced" }, { type: "orders.v1.OrderCancelled" }];

test("a message of a known type without a handler is acknowledged and counted", async () => {
  await using telemetry = startTelemetry({
    service: "test",
    destination: new Writable({ write: (_, __, done) => done() }),
  });
  const handler = byType({ "orders.v1.OrderPlaced": async () => assert.fail("another type's") }, telemetry, known);
  await handler(delivery("orders.v1.OrderCancelled"));
  const { body: text } = await telemetry.metrics.text();
  const series = `message_ignored_total{topic="orders.events",group="worker",type="orders.v1.OrderCancelled"} 1`;
  assert.ok(text.split("\n").includes(series), text.match(/message_ignored.*/g)?.join() ?? text);
});

for (const type of ["orders.v1.OrderShipped", "valueOf", "", "x".repeat(1_000)]) {
  test(`a message of the unknown type ${JSON.stringify(type.slice(0, 30))} has no effect and no retry can help it`, async () => {
    const handler = byType({ "orders.v1.OrderPlaced": async () => assert.fail("another type's") }, noTelemetry, known);
    const message = `this reader of orders.events knows no message of type ${JSON.stringify(type.slice(0, 100))}`;
    await assert.rejects(handler(delivery(type)), { code: "invalid_argument", reason: "UNKNOWN_TYPE", message });
  });
}
