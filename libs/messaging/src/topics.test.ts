import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseDelay, retryTopic, retryTopicPrefix } from "./topics.ts";

for (const [delayMs, name] of [
  [50, "orders.events.worker.retry.50ms"],
  [5_000, "orders.events.worker.retry.5s"],
  [90_000, "orders.events.worker.retry.90s"],
  [600_000, "orders.events.worker.retry.10m"],
] as const) {
  test(`the retry topic for ${delayMs} ms is ${name}`, () => {
    assert.equal(retryTopic("orders.events", "worker", delayMs), name);
  });
}

test("the name of a retry topic gives back its delay", () => {
  const prefix = retryTopicPrefix("orders.events", "worker");
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 86_400_000 }), (delayMs) => {
      const name = retryTopic("orders.events", "worker", delayMs);
      assert.ok(name.startsWith(prefix));
      assert.equal(parseDelay(name.slice(prefix.length)), delayMs);
    }),
  );
});

for (const text of ["", "5", "s", "5h", "-5s", "5s.dead", "1.5s"]) {
  test(`"${text}" is not a delay`, () => assert.equal(parseDelay(text), undefined));
}
