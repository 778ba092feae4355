import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { file } from "@plumbline/config";
import { followFlags } from "@plumbline/flags";
import { openSources } from "@plumbline/service-defaults";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, testEtcd, whyNoEtcd } from "@plumbline/tools-engines";
import { rolloutsOf } from "../src/rollouts.ts";
import { openMemoryContext } from "./memory-context.ts";
import { runService } from "./service.ts";

/** Writes a document in which `share` percent of the customers get pages of `size`. */
function write(path: string, share: number, size: number): void {
  writeFileSync(path, documentOf(share, size));
}

function documentOf(share: number, size: number): string {
  const flag = {
    state: "ENABLED",
    variants: { usual: 2, large: size },
    defaultVariant: "usual",
    targeting: {
      fractional: [
        ["large", share],
        ["usual", 100 - share],
      ],
    },
  };
  return JSON.stringify({ flags: { "orders-page-size": flag } });
}

test("a flag gives a share of the customers larger pages, and follows its file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-orders-"));
  try {
    const path = join(folder, "orders.flags.json");
    write(path, 50, 3);
    await using flags = await followFlags(file(path), noTelemetry);
    await using running = await runService(await openMemoryContext(), {}, flags);
    const { client } = running;
    const customers = Array.from({ length: 40 }, (_, n) => `customer-${n}`);
    for (const customerId of customers) {
      for (let n = 0; n < 4; n++) await client.placeOrder({ customerId, items: [{ sku: "tea", quantity: 1 }] });
    }
    const sizeFor = async (customerId: string): Promise<number> =>
      (await client.listOrders({ customerId, pageSize: 0, pageToken: "" })).orders.length;
    const sizes = (): Promise<number[]> => Promise.all(customers.map(sizeFor));
    const first = await sizes();
    assert.deepEqual([...new Set(first)].toSorted(), [2, 3], "some customers get each size");
    assert.deepEqual(await sizes(), first, "a customer always gets the same");
    assert.equal((await client.listOrders({ customerId: "customer-0", pageSize: 1, pageToken: "" })).orders.length, 1);
    write(path, 100, 3);
    await eventually(sizes, (now) => now.every((size) => size === 3), 2_000);
    // A value that the proto does not allow is cut to its bounds.
    write(path, 100, -5);
    await eventually(sizes, (now) => now.every((size) => size === 1), 2_000);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** The time in which a change in etcd holds in every replica. */
const liveMs = 2_000;

test("flags flipped in etcd hold in all replicas, and 500 evaluations a second neither fail nor wait", {
  skip: whyNoEtcd() ?? false,
}, async (t) => {
  await using server = await testEtcd();
  const key = `test/${crypto.randomUUID()}/orders.json`;
  const put = async (document: string): Promise<void> => {
    const answer = await fetch(new URL("/v3/kv/put", server.url), {
      method: "POST",
      body: JSON.stringify({ key: btoa(key), value: btoa(document) }),
    });
    assert.equal(answer.status, 200, await answer.text());
  };
  await put(documentOf(100, 20));
  await using replicas = new AsyncDisposableStack();
  const environment = {
    ORDERS_CONFIG_SOURCE: "etcd",
    ORDERS_CONFIG_ETCD_ENDPOINTS: new URL(server.url).origin,
    ORDERS_CONFIG_FLAGS_KEY: key,
  };
  const open = async () => {
    const { flags } = replicas.use(await openSources("orders", environment));
    return rolloutsOf(replicas.use(await followFlags(flags, noTelemetry)));
  };
  const all = await Promise.all([open(), open(), open()]);

  let evaluations = 0;
  const failures: unknown[] = [];
  const evaluate = (): void => {
    for (const rollouts of all) {
      for (let n = 0; n < 10; n++) {
        try {
          // A promise would be a wait.
          assert.equal(typeof rollouts.pageSize(`customer-${n}`), "number");
        } catch (error) {
          failures.push(error);
        }
        evaluations++;
      }
    }
  };
  const timer = setInterval(evaluate, 20);
  try {
    const times: number[] = [];
    for (let flip = 1; flip <= 10; flip++) {
      const size = flip % 2 === 0 ? 20 : 50;
      const from = performance.now();
      await put(documentOf(100, size));
      await eventually(
        () => all.map((rollouts) => rollouts.pageSize("customer-1")),
        (sizes) => sizes.every((seen) => seen === size),
        liveMs,
      );
      times.push(performance.now() - from);
      if (flip === 5) await put("{"); // The last valid one stays.
    }
    t.diagnostic(`longest time to all replicas: ${Math.max(...times).toFixed(0)} ms of ${times.length} flips`);
  } finally {
    clearInterval(timer);
  }
  assert.deepEqual(failures, []);
  assert.ok(evaluations > 0);
});
