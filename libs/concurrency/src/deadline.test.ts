import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { codeOf } from "@plumbline/errors";
import { reasonOf, stopClock } from "../test/helpers.ts";
import { deadline, deadlineOf, derive } from "./deadline.ts";

const day = 24 * 60 * 60 * 1000;

/** Stops the clock until a test moves it. */
const clock = { apis: ["setTimeout" as const, "Date" as const], now: 1_000_000 };

test("a deadline aborts with a TimeoutError when its time is up, and not before", (t) => {
  stopClock(t, clock);
  using limit = deadline(250);
  t.mock.timers.tick(249);
  assert.ok(!limit.signal.aborted);
  t.mock.timers.tick(1);
  assert.equal(codeOf(reasonOf(limit.signal)), "deadline_exceeded");
});

test("a disposed deadline does not abort", (t) => {
  stopClock(t, clock);
  const controller = new AbortController();
  const limit = deadline(250, { signal: controller.signal });
  limit[Symbol.dispose]();
  t.mock.timers.tick(1000);
  controller.abort();
  assert.ok(!limit.signal.aborted);
});

test("a deadline aborts with its parent and its reason", () => {
  const controller = new AbortController();
  const reason = new Error("stop");
  using limit = deadline(60_000, { signal: controller.signal });
  controller.abort(reason);
  assert.equal(reasonOf(limit.signal), reason);
});

test("a deadline can be aborted early, and keeps that reason when the time is up", (t) => {
  stopClock(t, clock);
  using limit = deadline(250);
  const reason = new Error("the client hung up");
  limit.abort(reason);
  t.mock.timers.tick(1000);
  assert.equal(reasonOf(limit.signal), reason);
});

test("a deadline below an aborted signal is aborted from the start", () => {
  const reason = new Error("too late");
  using limit = deadline(60_000, { signal: AbortSignal.abort(reason) });
  assert.equal(reasonOf(limit.signal), reason);
});

for (const ms of [0, -5, Number.NEGATIVE_INFINITY]) {
  test(`a deadline of ${ms} ms has passed already`, () => {
    using limit = deadline(ms);
    assert.equal(codeOf(reasonOf(limit.signal)), "deadline_exceeded");
  });
}

test("an infinite deadline sets none", (t) => {
  stopClock(t, clock);
  using limit = deadline(Number.POSITIVE_INFINITY);
  assert.equal(deadlineOf(limit.signal), undefined);
  t.mock.timers.tick(100 * day);
  assert.ok(!limit.signal.aborted);
});

test("a time that is not a number is refused", () => assert.throws(() => deadline(Number.NaN), RangeError));

test("a deadline past the 24.8 days a timer can hold is kept", (t) => {
  stopClock(t, clock);
  using limit = deadline(60 * day);
  // In steps, because the mocked clock starts a timer set within a tick at the end of the tick.
  const longest = 2 ** 31 - 1;
  for (const ms of [longest, longest, 60 * day - 2 * longest - 1]) {
    t.mock.timers.tick(ms);
    assert.ok(!limit.signal.aborted);
  }
  t.mock.timers.tick(1);
  assert.ok(limit.signal.aborted);
});

test("a deadline past the 24.8 days can be disposed at any time", (t) => {
  stopClock(t, clock);
  const limit = deadline(60 * day);
  t.mock.timers.tick(30 * day);
  limit[Symbol.dispose]();
  t.mock.timers.tick(60 * day);
  assert.ok(!limit.signal.aborted);
});

for (const { name, parent, child, want } of [
  { name: "the parent's if it is earlier", parent: 100, child: 250, want: 100 },
  { name: "its own if that is earlier", parent: 250, child: 100, want: 100 },
  { name: "the parent's if its own is infinite", parent: 250, child: Number.POSITIVE_INFINITY, want: 250 },
]) {
  test(`a signal has the earliest deadline: ${name}`, (t) => {
    stopClock(t, clock);
    using outer = deadline(parent);
    using inner = deadline(child, { signal: outer.signal });
    assert.equal(deadlineOf(inner.signal), clock.now + want);
    t.mock.timers.tick(want - 1);
    assert.ok(!inner.signal.aborted);
    t.mock.timers.tick(1);
    assert.ok(inner.signal.aborted);
  });
}

test("a derived scope has the deadline of its parent and aborts with it", (t) => {
  stopClock(t, clock);
  using limit = deadline(100);
  using outer = derive({ signal: limit.signal });
  using inner = derive({ signal: outer.signal });
  assert.equal(deadlineOf(inner.signal), clock.now + 100);
  t.mock.timers.tick(100);
  assert.equal(reasonOf(inner.signal), reasonOf(limit.signal));
});

test("a derived scope can have a deadline that its caller enforces", (t) => {
  stopClock(t, clock);
  using outer = deadline(300);
  using nearer = derive({ signal: outer.signal, deadline: clock.now + 100 });
  using farther = derive({ signal: outer.signal, deadline: clock.now + 500 });
  assert.equal(deadlineOf(nearer.signal), clock.now + 100);
  assert.equal(deadlineOf(farther.signal), clock.now + 300);
  t.mock.timers.tick(299);
  assert.ok(!nearer.signal.aborted);
});

test("a missing signal and a signal of the platform have no known deadline", () => {
  assert.equal(deadlineOf(undefined), undefined);
  assert.equal(deadlineOf(new AbortController().signal), undefined);
});

test("a scope aborts without its parent", () => {
  const parent = new AbortController();
  using scope = derive({ signal: parent.signal });
  scope.abort(new Error("mine"));
  assert.ok(scope.signal.aborted);
  assert.ok(!parent.signal.aborted);
});

test("a disposed scope is not aborted by its parent", () => {
  const parent = new AbortController();
  const scope = derive({ signal: parent.signal });
  scope[Symbol.dispose]();
  assert.equal(getEventListeners(parent.signal, "abort").length, 0);
  parent.abort();
  assert.ok(!scope.signal.aborted);
});

test("a thousand scopes under one signal all abort and leave no listener", () => {
  const parent = new AbortController();
  const scopes = Array.from({ length: 1000 }, () => deadline(60_000, { signal: parent.signal }));
  parent.abort();
  for (const scope of scopes) {
    assert.ok(scope.signal.aborted);
    scope[Symbol.dispose]();
  }
  assert.equal(getEventListeners(parent.signal, "abort").length, 0);
});
