/** One client places more work than the system does at once. Another client does not notice. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { taskGroup } from "@plumbline/concurrency";
import { authorizationFor } from "@plumbline/tools-stack";
import { call, eventually, post } from "../src/http.ts";
import { runStack } from "../src/stack.ts";
import { transports } from "../src/transports.ts";

const pending = "ORDER_STATUS_PENDING";
const itemsOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ sku: index === 0 ? "tea" : `unknown-${index}`, quantity: 1 }));

for (const transport of transports) {
  describe(`with calls over ${transport}`, () => {
    test("an order of one client is fulfilled while 100 large ones of another wait", { timeout: 400_000 }, async () => {
      await using running = await runStack({
        transport,
        environment: {
          WORKER_SUPPLIERS_TIMEOUT_MS: "120000",
          // The flood is to meet the bound of unanswered orders, and nothing before it.
          ORDERS_QUOTA_ORDERS_PER_MINUTE: "0",
          GATEWAY_RATE_LIMIT_PER_PRINCIPAL_PER_SECOND: "0",
        },
      });
      const { base, ports } = running;
      const place = async (client: string, customerId: string, count: number) =>
        post(`${base}/v1/orders`, { customerId, items: itemsOf(count) }, await authorizationFor(base, client));
      const statusOf = async (id: string) => {
        const { status, json, text } = await call(`${base}/v1/orders/${id}`);
        assert.equal(status, 200, text);
        return json["status"];
      };
      const settings = { method: "PATCH", body: JSON.stringify({ latencyMs: 1_000 }) };
      await call(`http://127.0.0.1:${ports.supplier}/v1/settings`, settings);

      // The operator floods. It names a new customer each time, and every tenth time its victim.
      const accepted: string[] = [];
      const refused: string[] = [];
      await taskGroup(
        async (group) => {
          for (let count = 0; count < 300; count++)
            await group.start(async () => {
              const customer = count % 10 === 0 ? "ada" : `customer-${count}`;
              const { status, json, headers } = await place("operator", customer, 100);
              if (status === 200) accepted.push(String(json["id"]));
              else refused.push(`${status} ${json["reason"]} ${headers.get("retry-after")}`);
            });
        },
        { limit: 8 },
      );
      assert.ok(accepted.length >= 100, `${accepted.length} were accepted`);
      assert.deepEqual([...new Set(refused)], ["429 TOO_MANY_PENDING_ORDERS_OF_CLIENT 1"]);

      const waiting = async () => {
        let count = 0;
        for (const id of accepted) if ((await statusOf(id)) === pending) count++;
        return count;
      };
      const before = await waiting();
      assert.ok(before >= 30, `${before} of ${accepted.length} large orders wait`);
      const { status, json, text } = await place("ada", "ada", 1);
      assert.equal(status, 200, text);
      const settled = await eventually(
        () => statusOf(String(json["id"])),
        (found) => found !== pending,
        120_000,
      );
      assert.equal(settled, "ORDER_STATUS_FULFILLED");
      // In the order of the broker it would have been behind all of them.
      const after = await waiting();
      assert.ok(after >= before / 2, `${after} of ${before} large orders still wait`);
    });
  });
}
