import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { memoryOf } from "./memory.ts";

const mebibyte = 1024 * 1024;

void describe("the memory for callers", () => {
  for (const { limit, held } of [
    { limit: 32, held: 8 },
    { limit: 192, held: 32 },
    { limit: 4_096, held: 64 },
    { limit: undefined, held: 64 },
  ]) {
    void test(`is ${held} MiB of ${limit ?? "unlimited"} MiB`, () => {
      const bytes = limit === undefined ? undefined : limit * mebibyte;
      assert.equal(memoryOf({}, undefined, bytes).maxHeldBytes, held * mebibyte);
    });
  }

  void test("that does not fit the memory of the process refuses the start, by name and size", () => {
    const weights = { maxBytes: 16 * mebibyte, of: {} };
    assert.throws(() => memoryOf({ maxHeldBytes: 90 * mebibyte }, weights, 192 * mebibyte), {
      name: "RangeError",
      message:
        "90 MiB for callers (maxHeldBytes) and 16 MiB for calls that run are more than half of the 192 MiB that " +
        "this process may use: lower them, or raise the limit",
    });
    assert.equal(memoryOf({ maxHeldBytes: 80 * mebibyte }, weights, 192 * mebibyte).maxHeldBytes, 80 * mebibyte);
  });
});
