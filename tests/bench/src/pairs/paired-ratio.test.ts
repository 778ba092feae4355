import assert from "node:assert/strict";
import { test } from "node:test";
import { pairedRatio } from "./paired-ratio.ts";

test("equal sides have the ratio 1 with no spread", () =>
  assert.deepEqual(pairedRatio([1, 2, 3], [1, 2, 3]), { mean: 1, low: 1, high: 1 }));

test("a slow moment that falls on both sides of a pair does not change the ratio", () => {
  const { mean, low, high } = pairedRatio([10, 100, 10, 40], [11, 110, 11, 44]);
  for (const value of [mean, low, high]) assert.ok(Math.abs(value - 1.1) < 1e-9, `${value}`);
});

test("noise within the pairs widens the interval around the mean", () => {
  const { mean, low, high } = pairedRatio([10, 10, 10, 10, 10, 10], [8, 12, 9, 11, 8, 12]);
  assert.ok(low < mean && mean < high, `${low} ${mean} ${high}`);
  assert.ok(low < 1 && high > 1, `${low} ${high}`);
});

test("sides of different lengths are refused", () => assert.throws(() => pairedRatio([1], [1, 2]), RangeError));
