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

for (const { type, label } of [
  { type: "orders.v1.OrderCancelled", label: "orders.v1.OrderCancelled" },
  { type: "orders.v1.OrderShipped", label: "other" },
  { type: "valueOf", label: "other" },
  { type: "", label: "other" },
]) {
  test(`a message of type ${JSON.stringify(type)} without a handler is acknowledged, counted as ${label} and logged`, async () => {
    let calls = 0;
    const lines: string[] = [];
    const destination = new Writable({
      write: (chunk, _encoding, done) => {
        lines.push(String(chunk));
        done();
      },
    });
    await using telemetry = startTelemetry({ service: "test", destination });
    const known = ["orders.v1.OrderPlaced", "orders.v1.OrderCancelled"];
    const handler = byType({ "orders.v1.OrderPlaced": async () => void calls++ }, telemetry, known);
    await handler(delivery(type));
    assert.equal(calls, 0);
    const { body: text } = await telemetry.metrics.text();
    const series = `message_ignored_total{topic="orders.events",group="worker",type="${label}"} 1`;
    assert.ok(text.split("\n").includes(series), text.match(/message_ignored.*/g)?.join() ?? text);
    const line = JSON.parse(lines[0] ?? "{}") as Record<string, unknown>;
    assert.deepEqual([line["level"], line["type"], line["topic"]], ["warn", type, "orders.events"]);
  });
}
