import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "@plumbline/errors";
import * as fc from "fast-check";
import { ticks } from "../test/explore.ts";
import { stopClock } from "../test/helpers.ts";
import { deadline } from "./deadline.ts";
import { fullJitter, type RetryOptions, retry } from "./retry.ts";

const quick: RetryOptions = { attempts: 3, baseMs: 0, maxMs: 0 };
const down = new ServiceError("unavailable", "down");

/** Fails with each of `errors` in turn, then answers with the number of attempts it took. */
function failing(...errors: unknown[]): (attempt: number) => Promise<number> {
  return async (attempt) => {
    if (attempt <= errors.length) throw errors[attempt - 1];
    return attempt;
  };
}

for (const { name, errors, options, want } of [
  { name: "a task that succeeds is not retried", errors: [], options: quick, want: 1 },
  { name: "unavailable is retried", errors: [down, down], options: quick, want: 3 },
  {
    name: "the last error is thrown when the attempts are used up",
    errors: [down, down, down],
    options: quick,
    want: down,
  },
  { name: "with one attempt there is no retry", errors: [down], options: { ...quick, attempts: 1 }, want: down },
  {
    name: "an error without a code is not retried",
    errors: [new TypeError("bug")],
    options: quick,
    want: { name: "TypeError" },
  },
  {
    name: "a timeout is not retried by default, since the work may have been done",
    errors: [new DOMException("", "TimeoutError")],
    options: quick,
    want: { name: "TimeoutError" },
  },
  {
    name: "an error with retryAfterMs is retried",
    errors: [new ServiceError("resource_exhausted", "full", { retryAfterMs: 1 })],
    options: quick,
    want: 2,
  },
  {
    name: "the caller can decide which errors are retried",
    errors: [new TypeError("flaky"), down],
    options: { ...quick, retryable: (error: unknown) => error instanceof TypeError },
    want: down,
  },
]) {
  test(name, async () => {
    const result = retry(failing(...errors), options);
    if (typeof want === "number") assert.equal(await result, want);
    else await assert.rejects(result, want);
  });
}

for (const attempts of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`${attempts} attempts are refused`, async () => {
    await assert.rejects(
      retry(() => assert.fail("tried"), { ...quick, attempts }),
      RangeError,
    );
  });
}

test("a task that throws before its first await is retried too", async () => {
  let calls = 0;
  const thrower = (): Promise<void> => {
    calls++;
    throw down;
  };
  await assert.rejects(retry(thrower, quick), down);
  assert.equal(calls, 3);
});

test("it waits between attempts, longer each time, with jitter", async (t) => {
  stopClock(t, { apis: ["setTimeout", "Date"] });
  const startedAt: number[] = [];
  const result = retry(
    async (attempt) => {
      startedAt.push(Date.now());
      return failing(down, down, down)(attempt);
    },
    { attempts: 4, baseMs: 100, maxMs: 300, random: () => 0.5 },
  );
  for (let ms = 0; ms < 400; ms++) {
    await ticks(20);
    t.mock.timers.tick(1);
  }
  assert.equal(await result, 4);
  // Half of 100, of 200, and of 300, where doubling stops.
  assert.deepEqual(startedAt, [0, 50, 150, 300]);
});

test("it waits at least as long as the server asked", async (t) => {
  stopClock(t, { apis: ["setTimeout", "Date"] });
  const busy = new ServiceError("unavailable", "busy", { retryAfterMs: 80 });
  let secondAt = 0;
  const result = retry(
    async (attempt) => {
      secondAt = Date.now();
      return failing(busy)(attempt);
    },
    { attempts: 2, baseMs: 10, maxMs: 10 },
  );
  for (let ms = 0; ms < 100; ms++) {
    await ticks(20);
    t.mock.timers.tick(1);
  }
  assert.equal(await result, 2);
  assert.equal(secondAt, 80);
});

test("a wait that would outlast the deadline does not start, and the last error is thrown", async (t) => {
  stopClock(t, { apis: ["setTimeout", "Date"] });
  using limit = deadline(100);
  const options = { attempts: 5, baseMs: 100, maxMs: 100, random: () => 1, signal: limit.signal };
  await assert.rejects(retry(failing(down), options), down);
  assert.equal(Date.now(), 0);
});

test("aborting ends the wait with the reason", async () => {
  const controller = new AbortController();
  const reason = new Error("stop");
  const options = { attempts: 2, baseMs: 60_000, maxMs: 60_000, random: () => 1, signal: controller.signal };
  const result = retry(failing(down), options);
  await ticks(10);
  controller.abort(reason);
  await assert.rejects(result, reason);
});

test("aborting during an attempt throws the reason, not the last error", async () => {
  const controller = new AbortController();
  const reason = new Error("stop");
  using limit = deadline(50, { signal: controller.signal });
  const task = async (): Promise<never> => {
    controller.abort(reason);
    throw down;
  };
  const options = { attempts: 2, baseMs: 60_000, maxMs: 60_000, random: () => 1, signal: limit.signal };
  await assert.rejects(retry(task, options), reason);
});

test("an aborted signal starts no attempt, neither the first nor a later one", async () => {
  const controller = new AbortController();
  const reason = new Error("stop");
  const options = { ...quick, signal: controller.signal };
  const once = async (attempt: number): Promise<never> => {
    assert.equal(attempt, 1);
    controller.abort(reason);
    throw down;
  };
  await assert.rejects(retry(once, options), reason);
  await assert.rejects(
    retry(() => assert.fail("tried"), options),
    reason,
  );
});

test("full jitter lies between zero and the doubled base, and never above the longest wait", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.nat(10_000),
      fc.nat(10_000),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, baseMs, maxMs, random) => {
        const ms = fullJitter(attempt, { baseMs, maxMs }, () => random);
        const doubled = baseMs === 0 ? 0 : baseMs * 2 ** (attempt - 1);
        assert.equal(ms, random * Math.min(maxMs, doubled));
      },
    ),
  );
});
