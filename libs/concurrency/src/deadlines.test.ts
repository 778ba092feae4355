import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { stopClock } from "../test/helpers.ts";
import { Deadlines } from "./deadlines.ts";

const clock = { apis: ["setTimeout" as const, "Date" as const], now: 1_000_000 };

function world() {
  const expired: string[] = [];
  const deadlines = new Deadlines<{ name: string; deadline: number; expire(): void }>();
  const add = (name: string, ms: number) => {
    const item = { name, deadline: clock.now + ms, expire: () => void expired.push(name) };
    deadlines.add(item);
    return item;
  };
  return { expired, deadlines, add };
}

test("each item expires at its deadline and not before, in any order of adding", (t) => {
  stopClock(t, clock);
  const { expired, deadlines, add } = world();
  add("late", 500);
  add("soon", 100);
  add("between", 300);
  for (const [ms, want] of [
    [99, []],
    [1, ["soon"]],
    [199, ["soon"]],
    [1, ["soon", "between"]],
    [200, ["soon", "between", "late"]],
  ] as const) {
    t.mock.timers.tick(ms);
    assert.deepEqual(expired, want);
  }
  assert.equal(deadlines.size, 0);
});

test("an item that was removed does not expire", (t) => {
  stopClock(t, clock);
  const { expired, deadlines, add } = world();
  const first = add("first", 100);
  add("second", 200);
  assert.ok(deadlines.delete(first));
  assert.ok(!deadlines.delete(first));
  t.mock.timers.tick(200);
  assert.deepEqual(expired, ["second"]);
});

test("a passed deadline expires in the next turn, and Infinity never", (t) => {
  stopClock(t, clock);
  const { expired, add } = world();
  add("passed", -5);
  add("never", Number.POSITIVE_INFINITY);
  assert.deepEqual(expired, []);
  t.mock.timers.tick(1);
  t.mock.timers.tick(1_000_000_000);
  assert.deepEqual(expired, ["passed"]);
});

test("a deadline past the 24.8 days a timer can hold is kept", (t) => {
  stopClock(t, clock);
  const { expired, add } = world();
  const longest = 2 ** 31 - 1;
  add("far", 2 * longest);
  t.mock.timers.tick(longest);
  t.mock.timers.tick(longest - 1);
  assert.deepEqual(expired, []);
  t.mock.timers.tick(1);
  assert.deepEqual(expired, ["far"]);
});

test("an expired item may add others and remove others before they expire", (t) => {
  stopClock(t, clock);
  const { expired, deadlines, add } = world();
  const victim = { name: "victim", deadline: clock.now + 100, expire: () => void expired.push("victim") };
  deadlines.add({
    name: "first",
    deadline: clock.now + 100,
    expire: () => {
      expired.push("first");
      deadlines.delete(victim);
      add("added", 150);
    },
  });
  deadlines.add(victim);
  t.mock.timers.tick(100);
  t.mock.timers.tick(50);
  assert.deepEqual(expired, ["first", "added"]);
});

test("a reader sees each item, but none that is removed meanwhile or added later", () => {
  const { deadlines, add } = world();
  const [first, second] = [add("first", 100), add("second", 200), add("third", 300)];
  const seen: string[] = [];
  for (const { name } of deadlines) {
    seen.push(name);
    if (name !== "first") continue;
    deadlines.delete(first);
    deadlines.delete(second);
    add("fourth", 400);
  }
  assert.deepEqual(seen, ["first", "third"]);
  for (const item of deadlines) deadlines.delete(item);
});

test("a thousand items of the same length need one timer, which checks once in that time", (t) => {
  stopClock(t, clock);
  const set = t.mock.method(globalThis, "setTimeout");
  const { expired, deadlines, add } = world();
  for (let ms = 0; ms < 1_000; ms++) {
    const item = add(`${ms}`, 5_000 + ms);
    if (ms % 2 === 0) deadlines.delete(item);
  }
  assert.equal(set.mock.callCount(), 1);
  t.mock.timers.tick(6_000);
  assert.equal(expired.length, 500);
});

test("in any order of adding and removing, each item expires at its deadline or was removed", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(200), ms: fc.integer({ min: 0, max: 200 }), leaves: fc.option(fc.nat(400)) })),
      (plans) => {
        stopClock(t, clock);
        const deadlines = new Deadlines();
        const expired = new Map<number, number>();
        const items = plans.map(({ at, ms }, index) => ({
          deadline: clock.now + at + ms,
          expire: () => void expired.set(index, Date.now()),
        }));
        for (let time = 0; time <= 500; time++) {
          for (const [index, { at, leaves }] of plans.entries()) {
            if (at === time) deadlines.add(items[index]!);
            if (leaves === time && leaves > at) deadlines.delete(items[index]!);
          }
          t.mock.timers.tick(1);
        }
        t.mock.timers.reset();
        for (const [index, { at, ms, leaves }] of plans.entries()) {
          const due = at + ms;
          const left = leaves !== null && leaves > at && leaves <= due;
          if (!left) assert.ok(Math.abs((expired.get(index) ?? Infinity) - clock.now - due) <= 1);
          else assert.ok(!expired.has(index) || leaves === due);
        }
      },
    ),
    { numRuns: 50 },
  );
});
