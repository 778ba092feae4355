import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cause, explain, nothingKnown, type SlowCall, sentLate } from "./explain.ts";

/** Explains calls that are usually sent after 1 ms and answered 2 ms later. */
function explained(calls: readonly SlowCall[], causes: readonly Cause[]): Record<string, [calls: number, ms: number]> {
  const rows = explain({ usualLate: 1, usualService: 2, calls }, causes);
  return Object.fromEntries(rows.map(({ cause, calls: count, ms }) => [cause, [count, Math.round(ms * 100) / 100]]));
}
/** Due at 0, sent at 1, and answered 10 ms beyond the usual. */
const call = { due: 0, sent: 1, answered: 13 };
const pause = (from: number, to: number): Cause => ({ name: "pause", at: [{ from, to }] });

test("a pause within a call explains its length, and the rest has no known cause", () => {
  assert.deepEqual(explained([call], [pause(2, 9)]), { [sentLate]: [0, 0], pause: [1, 7], [nothingKnown]: [0, 3] });
});

test("a pause counts only while the call waits", () => {
  assert.deepEqual(explained([call], [pause(-5, 4)]), { [sentLate]: [0, 0], pause: [0, 3], [nothingKnown]: [1, 7] });
});

test("a pause explains no more than what the call took beyond the usual", () => {
  assert.deepEqual(explained([call], [pause(-5, 20)]), { [sentLate]: [0, 0], pause: [1, 10], [nothingKnown]: [0, 0] });
});

test("a moment with two causes belongs to the first of them", () => {
  const busy = { name: "busy", at: [{ from: 4, to: 11 }] };
  assert.deepEqual(explained([call], [pause(2, 8), busy]), {
    [sentLate]: [0, 0],
    pause: [1, 6],
    busy: [0, 3],
    [nothingKnown]: [0, 1],
  });
});

test("two pauses that overlap are counted once", () => {
  const both = { name: "pause", at: [...pause(2, 6).at, ...pause(4, 8).at] };
  assert.deepEqual(explained([call], [both]).pause, [1, 6]);
});

test("a call that was sent late is no fault of the service", () => {
  const late = { due: 0, sent: 9, answered: 11 };
  assert.deepEqual(explained([late, call], [pause(0, 8)]), {
    [sentLate]: [1, 8],
    pause: [1, 7],
    [nothingKnown]: [0, 3],
  });
});
