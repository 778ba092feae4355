/** A flag of `npm start`: its file is edited while the stack runs. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { call, eventually, post } from "../src/http.ts";
import { runStack } from "../src/stack.ts";

/** The time in which an edit of the file holds. */
const liveMs = 2_000;

function document(size: number): string {
  const flag = { state: "ENABLED", variants: { usual: size }, defaultVariant: "usual" };
  return JSON.stringify({ flags: { "orders-page-size": flag } });
}

test("a flag whose file is edited holds in every replica, without a restart, and is counted", async () => {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-flags-"));
  try {
    const file = join(folder, "orders.flags.json");
    writeFileSync(file, document(2));
    await using running = await runStack({ scale: { orders: 2 }, environment: { ORDERS_CONFIG_FLAGS_FILE: file } });
    const { base, stack } = running;
    for (let n = 0; n < 3; n++) {
      await post(`${base}/v1/orders`, { customerId: "flagged", items: [{ sku: "tea", quantity: 1 }] });
    }
    const sizes = async (): Promise<number[]> => {
      // Enough calls for both replicas of orders.
      const pages = await Promise.all(Array.from({ length: 8 }, () => call(`${base}/v1/orders?customerId=flagged`)));
      return pages.map(({ json }) => (json["orders"] as unknown[]).length);
    };
    assert.ok((await sizes()).every((size) => size === 2));
    const processes = ["orders", "orders-2"].map((name) => stack.programs.get(name)?.pid);
    writeFileSync(file, document(1));
    await eventually(sizes, (all) => all.every((size) => size === 1), liveMs);
    writeFileSync(file, "{"); // The last valid one stays.
    writeFileSync(file, document(3));
    await eventually(sizes, (all) => all.every((size) => size === 3), liveMs);
    assert.deepEqual(
      ["orders", "orders-2"].map((name) => stack.programs.get(name)?.pid),
      processes,
    );
    const ready = stack.programs.get("orders")?.program.ready ?? "";
    const { text } = await call(ready.replace("/readyz", "/metrics"));
    assert.match(text, /^flag_evaluations_total\{.*flag="orders-page-size",variant="usual".*\} [1-9]/m);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
