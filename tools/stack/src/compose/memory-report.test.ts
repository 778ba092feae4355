import assert from "node:assert/strict";
import test from "node:test";
import { type MemoryUse, memoryReport, parseBytes } from "./memory-report.ts";

const mebibyte = 1_048_576;
const use = (name: string, limit: number): MemoryUse => ({
  name,
  charged: 10 * mebibyte,
  limit: limit * mebibyte,
  rss: 20 * mebibyte,
});

test("limits that add to the budget are within it, and a mebibyte more is not", () => {
  assert.equal(memoryReport([use("a", 60), use("b", 40)], 100 * mebibyte).ok, true);
  assert.equal(memoryReport([use("a", 60), use("b", 41)], 100 * mebibyte).ok, false);
});

test("a container without a limit is outside every budget, and is shown so", () => {
  const { text, ok } = memoryReport([use("a", 60), use("b", 0)], 100 * mebibyte);
  assert.equal(ok, false);
  assert.match(text, /^b .*NONE/m);
});

for (const { text, bytes } of [
  { text: "0B", bytes: 0 },
  { text: "812KiB", bytes: 831_488 },
  { text: "57.5MiB", bytes: 60_293_120 },
  { text: " 1.5GiB ", bytes: 1_610_612_736 },
]) {
  test(`docker's ${JSON.stringify(text)} is ${bytes} bytes`, () => assert.equal(parseBytes(text), bytes));
}

test("a size that is none is refused with what was printed", () => {
  assert.throws(() => parseBytes("--"), /docker printed "--"/);
});
