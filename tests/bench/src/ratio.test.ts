import assert from "node:assert/strict";
import { test } from "node:test";
import type { CalmPairs } from "./pairs/calm-pairs.ts";
import { atLeast, atMost, ratioTable } from "./ratio.ts";

const same = (value: number): number => value;
const pairs = (all: readonly (readonly [number, number])[], thrown: CalmPairs<number>["thrown"] = {}) => ({
  pairs: all,
  thrown,
});
const steady = pairs(Array.from({ length: 8 }, () => [10, 12] as const));
const noisy = pairs([
  [10, 8],
  [10, 14],
  [10, 9],
  [10, 13],
  [10, 8],
  [10, 14],
]);

test("a ratio is met or missed if its whole interval is on one side of the aim", () => {
  assert.equal(atLeast(1.1, "a", steady, same).verdict, "met");
  assert.equal(atLeast(1.3, "a", steady, same).verdict, "missed");
  assert.equal(atMost(1.3, "a", steady, same).verdict, "met");
  assert.equal(atMost(1.1, "a", steady, same).verdict, "missed");
});

test("a ratio whose interval crosses the aim is unsure, although its mean meets it", () => {
  for (const found of [atLeast(1, "a", noisy, same), atMost(1.15, "a", noisy, same)]) {
    assert.equal(found.verdict, "unsure");
    assert.ok(found.low < found.mean && found.mean < found.high);
  }
});

test("a ratio is unsure by fewer than four pairs, and if more than half were thrown out", () => {
  const three = pairs(steady.pairs.slice(0, 3));
  assert.equal(atLeast(1.1, "a", three, same).verdict, "unsure");
  assert.equal(atLeast(1.1, "a", pairs(steady.pairs, { queue: 8 }), same).verdict, "met");
  assert.equal(atLeast(1.1, "a", pairs(steady.pairs, { queue: 8, steal: 1 }), same).verdict, "unsure");
  assert.equal(atMost(1.1, "a", pairs([], { steal: 5 }), same).verdict, "unsure");
});

test("the table has the interval, the pairs, and the rule if it was used", () => {
  const calm = ratioTable([atLeast(1.1, "calm", steady, same)]);
  assert.match(calm, /\| calm \| 1\.200 \(1\.200 to 1\.200\) \| 8 \| >= 1\.1 \| met \|$/);
  const disturbed = ratioTable([atLeast(1.1, "disturbed", pairs(steady.pairs, { steal: 1, spin: 2 }), same)]);
  assert.match(disturbed, /\| 8 of 11 \(out: 1 steal, 2 spin\) \|/);
  assert.match(disturbed, /A pair is thrown out if/);
  const none = ratioTable([atLeast(1.1, "none", pairs([], { queue: 2, spin: 3 }), same)]);
  assert.match(none, /^\| none \| nothing \| 0 of 5 \(out: 2 queue, 3 spin\) \| >= 1\.1 \| unsure \|$/m);
});
