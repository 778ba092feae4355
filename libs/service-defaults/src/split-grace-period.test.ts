import assert from "node:assert/strict";
import { test } from "node:test";
import { msAfterDrain, splitGracePeriod } from "./split-grace-period.ts";

test("each part gets its share of the time after the drain", () => {
  const grace = splitGracePeriod({ drainMs: 2_000, graceMs: 10_000 }, { calls: 0.5, events: 0.25 });
  assert.deepEqual(grace, { calls: 4_000, events: 2_000 });
});

test("the two seconds of a deregistration count only with a registry", () => {
  const settings = { drainMs: 1_000, graceMs: 10_000 };
  assert.equal(msAfterDrain({ ...settings, registration: { registry: "none" } }), 9_000);
  assert.equal(msAfterDrain({ ...settings, registration: { registry: "etcd" } }), 7_000);
});

test("shares that are more than the whole period are refused", () => {
  assert.throws(() => splitGracePeriod({ drainMs: 0, graceMs: 1 }, { calls: 0.6, events: 0.5 }), RangeError);
});

test("a drain that takes the whole period leaves no time, and not less than none", () => {
  assert.deepEqual(splitGracePeriod({ drainMs: 2, graceMs: 1 }, { calls: 1 }), { calls: 0 });
});
