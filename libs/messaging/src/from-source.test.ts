import assert from "node:assert/strict";
import { test } from "node:test";
import { message } from "./conformance/test-context.ts";
import { fromSource } from "./from-source.ts";
import { isPermanent } from "./middleware/permanent.ts";

test("a message of another source is refused for good, and the handler does not see it", async () => {
  const seen: string[] = [];
  const handler = fromSource("/plumbline/orders", async ({ message }) => void seen.push(message.source));
  const deliver = (source: string) =>
    handler({
      topic: "orders.events",
      group: "worker",
      message: { ...message("a"), source },
      attempt: 1,
      signal: new AbortController().signal,
    });
  await deliver("/plumbline/orders");
  for (const source of ["/plumbline/worker", "/plumbline/orders/", "/PLUMBLINE/orders", ""]) {
    await assert.rejects(deliver(source), (error) => isPermanent(error), source);
  }
  assert.deepEqual(seen, ["/plumbline/orders"]);
});
