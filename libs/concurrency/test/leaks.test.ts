/**
 * A deadline that has ended leaves neither listeners, which are counted exactly, nor bytes of heap.
 */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { deadline } from "../src/index.ts";
import { settle } from "./explore.ts";

const MiB = 2 ** 20;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

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
