import assert from "node:assert/strict";
import { test } from "node:test";
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
  const handler = byType({
    "orders.v1.OrderPlaced": record("placed"),
    "orders.v1.OrderCancelled": record("cancelled"),
  });
  const cancelled = delivery("orders.v1.OrderCancelled");
  await handler(cancelled);
  assert.deepEqual(received, [["cancelled", cancelled]]);
});

test("a handler's failure is the failure of the delivery", async () => {
  const handler = byType({ "orders.v1.OrderPlaced": async () => Promise.reject(new Error("database is down")) });
  await assert.rejects(handler(delivery("orders.v1.OrderPlaced")), /database is down/);
});

for (const type of ["orders.v1.OrderShipped", "valueOf", ""]) {
  test(`a message of the unknown type ${JSON.stringify(type)} is acknowledged without a call`, async () => {
    let calls = 0;
    await byType({ "orders.v1.OrderPlaced": async () => void calls++ })(delivery(type));
    assert.equal(calls, 0);
  });
}
