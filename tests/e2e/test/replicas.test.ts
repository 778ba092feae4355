/** Two gateways and two orders on one database, as processes: a client sees one system. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { sleep } from "@plumbline/concurrency";
import { ApiLoad, Balancer, describeLoad, type LoadResult } from "@plumbline/load";
import { eventually, post, readEvents } from "../src/http.ts";
import { type Running, runStack } from "../src/stack.ts";
import { transports } from "../src/transports.ts";

const perSecond = 60;

/** Returns a check that each gateway has answered that many requests. */
function isShared(counts: readonly number[]): (answered: readonly number[]) => boolean {
  return (answered) => counts.every((count, index) => (answered[index] ?? 0) >= count);
}

for (const transport of transports) {
  describe(`with calls over ${transport}`, () => {
    let replicas: Running;
    let bases: readonly string[];
    before(async () => {
      replicas = await runStack({
        transport,
        scale: { gateway: 2, orders: 2 },
        environment: {
          // The value of docker-compose.yml. It must be longer than a check of /readyz on a busy
          // machine (1 s), so that the load moves away in time.
          GATEWAY_DRAIN_MS: "2000",
          GATEWAY_RATE_LIMIT_PER_CLIENT_PER_SECOND: "0",
          // Short, so that connections also end during requests.
          ORDERS_RPC_MAX_CONNECTION_AGE_MS: "3000",
        },
      });
      bases = await replicas.stack.gateways();
    });
    after(async () => await replicas?.[Symbol.asyncDispose]());

    /** Returns the calls that each of the two orders has counted so far. */
    async function ordersCalls(): Promise<number[]> {
      return await Promise.all(
        ["orders", "orders-2"].map(async (name) => {
          const ready = replicas.stack.programs.get(name)?.program.ready ?? "";
          const body = await (await fetch(ready.replace("/readyz", "/metrics"))).text();
          const counts = body.matchAll(/^rpc_server_call_duration_seconds_count\{.*\} (\d+)$/gm);
          return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
        }),
      );
    }

    test("a watcher sees the end of its order, through any gateway and replica", async () => {
      const [here = "", there = ""] = bases;
      const before = await ordersCalls();
      for (let i = 0; i < 10; i++) {
        const placed = await post(`${here}/v1/orders`, { customerId: "watcher", items: [{ sku: "tea", quantity: 1 }] });
        assert.equal(placed.status, 200, placed.text);
        const id = String(placed.json["id"]);
        const watching = readEvents(`${there}/v1/orders/${id}:watch`);
        // Cancelled or fulfilled, by whichever is first. Each call goes to the other replica than
        // the last one.
        await post(`${here}/v1/orders/${id}:cancel`, {});
        const statuses = (await watching).map(({ data }) => data["status"]);
        assert.match(String(statuses.at(-1)), /CANCELLED|FULFILLED/, String(statuses));
      }
      const served = (await ordersCalls()).map((calls, i) => calls - (before[i] ?? 0));
      assert.ok(
        served.every((calls) => calls >= 5),
        `not spread over both: ${served}`,
      );
    });

    test("a rolling restart of gateways and orders under a fixed arrival rate fails no request", async (t) => {
      const end = new AbortController();
      const balancer = new Balancer(bases);
      const looking = balancer.run(end.signal);
      const load = new ApiLoad(balancer);
      const answered = () => bases.map((base) => load.answered.get(base) ?? 0);
      let running: Promise<LoadResult>;
      try {
        await balancer.ready();
        running = load.run(perSecond, end.signal);
        await eventually(async () => answered(), isShared([25, 25]));
        for (const name of ["gateway", "orders", "gateway-2", "orders-2"]) {
          const [service = ""] = name.split("-");
          const ended = await replicas.stack.restart({ service, name });
          assert.ok(ended.clean, `${name} ended with ${ended.code}`);
          // Waits until it gets requests again, so that the next restart finds two replicas in use.
          await eventually(async () => answered(), isShared(answered().map((count) => count + 30)));
          await sleep(200);
        }
      } finally {
        end.abort();
        await looking;
      }
      const result = await running;
      t.diagnostic(describeLoad(result, perSecond));
      assert.deepEqual([...result.failures], []);
    });
  });
}
