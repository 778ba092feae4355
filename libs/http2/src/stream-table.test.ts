import assert from "node:assert/strict";
import { test } from "node:test";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (options?: { readonly type: "minor" }) => void;
const oldBytes = () => getHeapSpaceStatistics().find((space) => space.space_name === "old_space")?.space_used_size ?? 0;

test("streams that are closed soon do not reach the old generation", () => {
  const table = new StreamTable(true, 2);
  collect();
  const before = oldBytes();
  for (let id = 1; id < 40_000; id += 2) {
    // The parts that matter here: its number, and 4 KiB.
    table.add({ id, payload: Array.from({ length: 512 }, () => id) } as unknown as Stream);
    if (id > 64) table.closed(id - 64, false);
    // Some streams stay for long, as in a process that has been idle.
    if (id < 4_000 ? id > 3_990 : id % 2_000 === 1) collect({ type: "minor" });
  }
  assert.equal(table.size, 32);
  const aged = (oldBytes() - before) / 2 ** 20;
  assert.ok(aged < 4, `${aged.toFixed(1)} MiB`);
});

test("a closed stream is neither found nor among the values, also while they are read", () => {
  const table = new StreamTable(true, 2);
  const [one, three, five] = [1, 3, 5].map((id) => ({ id }) as Stream);
  for (const stream of [one, three, five]) table.add(stream as Stream);
  table.closed(1, false);
  assert.equal(table.get(1), undefined);
  const seen: number[] = [];
  for (const { id } of table.values()) {
    seen.push(id);
    table.closed(5, false);
  }
  assert.deepEqual(seen, [3]);
  assert.equal(table.get(3), three);
});
