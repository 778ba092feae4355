import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { OffsetTracker } from "./offset-tracker.ts";

test("the position stays at the first unhandled message, however many later ones are handled", () => {
  const tracker = new OffsetTracker(5n);
  for (const offset of [5n, 6n, 7n]) tracker.start(offset);
  tracker.finish(7n);
  tracker.finish(6n);
  assert.equal(tracker.next, 5n);
  tracker.finish(5n);
  assert.equal(tracker.next, 8n);
});

test("gaps in the log do not stop the position", () => {
  const tracker = new OffsetTracker(0n);
  for (const offset of [3n, 10n, 11n]) tracker.start(offset);
  tracker.finish(3n);
  assert.equal(tracker.next, 4n);
  tracker.finish(10n);
  tracker.finish(11n);
  assert.equal(tracker.next, 12n);
});

test("a gap at the end is passed once all messages before it are handled", () => {
  const tracker = new OffsetTracker(0n);
  tracker.skipTo(2n);
  assert.equal(tracker.next, 2n);
  tracker.start(2n);
  tracker.start(3n);
  tracker.skipTo(6n);
  tracker.finish(3n);
  assert.equal(tracker.next, 2n);
  tracker.finish(2n);
  assert.equal(tracker.next, 6n);
  tracker.start(6n);
  tracker.skipTo(9n);
  tracker.skipTo(12n);
  tracker.start(20n);
  tracker.finish(6n);
  assert.equal(tracker.next, 7n, "a message follows, so the gap is not the end");
  tracker.finish(20n);
  assert.equal(tracker.next, 21n);
});

test("in any order of handling, all messages before the position are handled and it never decreases", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat({ max: 200 }), { minLength: 1, maxLength: 40 }).chain((offsets) =>
        fc.record({
          offsets: fc.constant(offsets.toSorted((a, b) => a - b)),
          order: fc.shuffledSubarray(offsets, { minLength: offsets.length }),
        }),
      ),
      ({ offsets, order }) => {
        const tracker = new OffsetTracker(0n);
        for (const offset of offsets) tracker.start(BigInt(offset));
        const open = new Set(offsets);
        let last = 0n;
        for (const offset of order) {
          tracker.finish(BigInt(offset));
          open.delete(offset);
          assert.ok(tracker.next >= last);
          last = tracker.next;
          for (const unhandled of open) assert.ok(BigInt(unhandled) >= tracker.next);
        }
        assert.equal(tracker.next, BigInt(offsets.at(-1) ?? 0) + 1n);
      },
    ),
  );
});
