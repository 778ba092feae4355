/** Tests of waits while somebody sets the system's clock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deadline, deadlineOf } from "./deadline.ts";
import { Deadlines } from "./deadlines.ts";
import { retry } from "./retry.ts";
import { steadyNow } from "./steady-now.ts";

const hour = 3_600_000;

test("the steady clock is right at first, and cannot be set", (t) => {
  const before = steadyNow();
  assert.ok(Math.abs(before - Date.now()) < 60_000);
  const real = Date.now.bind(Date);
  t.mock.method(Date, "now", () => real() - hour);
  assert.ok(steadyNow() >= before);
});

for (const { name, step } of [
  { name: "back", step: -hour },
  { name: "forward", step: hour },
]) {
  test(`a deadline passes at its time while the clock is set ${name}`, async (t) => {
    const real = Date.now.bind(Date);
    const began = performance.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    const items = new Deadlines();
    items.add({ deadline: steadyNow() + 300, expire: resolve });
    let isEarly = false;
    items.add({ deadline: steadyNow() + hour / 2, expire: () => void (isEarly = true) });
    t.mock.method(Date, "now", () => real() + step);
    // Another item has the set look at the clock again.
    const other = { deadline: steadyNow() + 100, expire: () => {} };
    items.add(other);
    await promise;
    assert.ok(performance.now() - began >= 298, "not before");
    assert.ok(!isEarly);
    for (const item of items) items.delete(item);
  });

  test(`a retry that fits the deadline is made while the clock is set ${name}`, async (t) => {
    using limit = deadline(60_000);
    const left = (deadlineOf(limit.signal) ?? 0) - steadyNow();
    assert.ok(left > 0 && left <= 60_000);
    const real = Date.now.bind(Date);
    t.mock.method(Date, "now", () => real() + step);
    let attempts = 0;
    const result = await retry(
      async () => {
        if (++attempts === 1) throw new Error("down");
        return attempts;
      },
      { attempts: 2, baseMs: 1, maxMs: 1, retryable: () => true, signal: limit.signal },
    );
    assert.equal(result, 2);
  });
}
