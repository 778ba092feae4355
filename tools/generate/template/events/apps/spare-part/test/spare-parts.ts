/** The contract of the port SpareParts: every adapter passes it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SparePart } from "../src/domain/spare-part.ts";
import type { SpareParts } from "../src/use-cases/ports.ts";

const sparePart = (id: string, name = "one"): SparePart => ({
  id,
  name,
  createTime: new Date("2026-01-02T03:04:05.678Z"),
});

export function sparePartsContract(adapter: string, open: () => Promise<SpareParts & AsyncDisposable>): void {
  describe(`spare parts over ${adapter}`, () => {
    test("a stored spare part is found as it was stored", async () => {
      await using spareParts = await open();
      await spareParts.add(sparePart("a"));
      assert.deepEqual(await spareParts.find("a"), sparePart("a"));
      assert.equal(await spareParts.find("b"), undefined);
    });

    test("the first spare part of an id stays", async () => {
      await using spareParts = await open();
      assert.deepEqual(await spareParts.add(sparePart("a")), sparePart("a"));
      assert.deepEqual(await spareParts.add(sparePart("a", "another")), sparePart("a"));
      assert.deepEqual(await spareParts.find("a"), sparePart("a"));
    });

    test("a message that is delivered again has one effect", async () => {
      await using spareParts = await open();
      const message = { id: "1", source: "/test" };
      await spareParts.addOnce(message, sparePart("a"));
      await spareParts.addOnce(message, sparePart("b"));
      assert.deepEqual(await spareParts.find("a"), sparePart("a"));
      assert.equal(await spareParts.find("b"), undefined);
    });

    test("spare parts added at once under one id are one", async () => {
      await using spareParts = await open();
      const names = ["one", "two", "three", "four"];
      const stored = await Promise.all(names.map((name) => spareParts.add(sparePart("a", name))));
      assert.equal(new Set(stored.map(({ name }) => name)).size, 1);
    });
  });
}
