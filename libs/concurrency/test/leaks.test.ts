/**
 * A deadline that has ended leaves neither listeners, which are counted exactly, nor bytes of heap,
 * and nothing in the old generation.
 */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Deadlines, deadline, type Expiring } from "../src/index.ts";
import { settle } from "./explore.ts";

const MiB = 2 ** 20;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (options?: { readonly type: "minor" }) => void;

async function heapAfter(calls: number, call: () => void): Promise<number> {
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < calls; i++) {
    call();
    // Node clears weak references between turns of the event loop.
    if (i % 10_000 === 0) await settle();
  }
  await settle();
  collect();
  await settle();
  collect();
  return process.memoryUsage().heapUsed - before;
}

test("300,000 deadlines of a minute under one long-lived signal leave no listener and no memory", async () => {
  const parent = new AbortController();
  const grown = await heapAfter(300_000, () => {
    using limit = deadline(60_000, { signal: parent.signal });
    limit.signal.addEventListener("abort", () => {}, { once: true });
  });
  assert.equal(getEventListeners(parent.signal, "abort").length, 0);
  assert.ok(grown < 8 * MiB, `grew by ${(grown / MiB).toFixed(1)} MiB`);
});

test("the platform's any and timeout keep memory for each call until the minute is over", async () => {
  const parent = new AbortController();
  const calls = 20_000;
  const grown = await heapAfter(calls, () => {
    const signal = AbortSignal.any([parent.signal, AbortSignal.timeout(60_000)]);
    signal.addEventListener("abort", () => {}, { once: true });
  });
  // If this fails, Node has fixed nodejs/node#54614, and `deadline` may no longer be needed.
  assert.ok(grown > calls * 500, `grew by only ${(grown / MiB).toFixed(1)} MiB`);
});

/**
 * Lets 20,000 items of a KiB pass through, 32 at a time, and returns the bytes that are in the old
 * generation then. It begins with some that stay for long, as in a process that has been idle.
 */
function agedBy(add: (item: Expiring) => void, remove: (item: Expiring) => void): number {
  const old = () => getHeapSpaceStatistics().find((space) => space.space_name === "old_space")?.space_used_size ?? 0;
  collect();
  const before = old();
  const present: Expiring[] = [];
  for (let made = 0; made < 20_000; made++) {
    const item = {
      deadline: Number.POSITIVE_INFINITY,
      expire: () => {},
      payload: Array.from({ length: 128 }, () => made),
    };
    if (made >= 32) remove(present[made % 32] as Expiring);
    present[made % 32] = item;
    add(item);
    if (made < 3_000 ? made > 2_995 : made % 1_000 === 0) collect({ type: "minor" });
  }
  return old() - before;
}

test("items that pass through Deadlines do not reach the old generation", () => {
  const deadlines = new Deadlines<Expiring>();
  const aged = agedBy(
    (item) => deadlines.add(item),
    (item) => deadlines.delete(item),
  );
  assert.ok(aged < 0.5 * MiB, `${(aged / MiB).toFixed(1)} MiB`);
});

test("a third of those that pass through a Set does", () => {
  const set = new Set<Expiring>();
  const aged = agedBy(
    (item) => set.add(item),
    (item) => set.delete(item),
  );
  // If this fails, V8 empties the tables that a Set outgrows, and `Deadlines` can hold one again.
  assert.ok(aged > 3 * MiB, `only ${(aged / MiB).toFixed(1)} MiB`);
});
