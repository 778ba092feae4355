import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { file } from "@plumbline/config";
import { followFlags } from "@plumbline/flags";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import { openMemoryContext } from "./memory-context.ts";
import { runService } from "./service.ts";

/** Writes a document in which `share` percent of the customers get pages of `size`. */
function write(path: string, share: number, size: number): void {
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
  writeFileSync(path, JSON.stringify({ flags: { "orders-page-size": flag } }));
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
