import assert from "node:assert/strict";
import { resolve } from "node:path";
import test from "node:test";
import type { LoadResult } from "@plumbline/load";
import { rows } from "@plumbline/tools-stack";
import { composeLimits, Peaks } from "./memory.ts";
import { together, verdictOf } from "./verdict.ts";

/** A hundred answers, of which the slowest two took `slowest` ms. */
function load(slowest: number, failed = 0): LoadResult {
  const ms = Array.from({ length: 100 - failed }, (_, index) => (index < 2 ? slowest : 1));
  return { sent: 100, failed, failures: new Map(failed === 0 ? [] : [["503", failed]]), ms };
}

for (const { name, attack, isMet } of [
  { name: "twice the p99 of the control is met", attack: load(20), isMet: true },
  { name: "more than twice is missed", attack: load(21), isMet: false },
  { name: "one failed request is missed, however fast the others are", attack: load(1, 1), isMet: false },
  { name: "no request at all is missed", attack: { ...load(1), sent: 0, ms: [] }, isMet: false },
]) {
  test(name, () => assert.equal(verdictOf(attack, load(10)).isMet, isMet));
}

test("several loads count as one", () => {
  const { sent, failed, failures, ms } = together([load(5, 2), load(7), load(9, 3)]);
  assert.deepEqual([sent, failed, ms.length, failures.get("503")], [300, 5, 295, 5]);
});

test("each program and Postgres have a limit in docker-compose.yml", () => {
  const limits = composeLimits(resolve(import.meta.dirname, "../../../.."));
  for (const name of [...rows.map((row) => row.name), "postgres"]) assert.ok((limits.get(name) ?? 0) > 2 ** 20, name);
});

test("a peak is kept after the memory is given back", { skip: process.platform !== "linux" }, () => {
  using peaks = new Peaks([{ name: "self", pid: process.pid }]);
  const before = peaks.of({ name: "self", pid: process.pid });
  Buffer.alloc(256 * 2 ** 20, 1);
  assert.ok(peaks.of({ name: "self", pid: process.pid }) - before > 200 * 2 ** 20);
});
