import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { allEnd, pause, settle } from "../test/explore.ts";
import { stateOf } from "../test/helpers.ts";
import { type BackgroundWork, background } from "./background.ts";
import { sleep } from "./sleep.ts";

test("the work starts at once, and disposing aborts its signal and waits until it has ended", async () => {
  const cleanup = Promise.withResolvers<void>();
  let seen: AbortSignal | undefined;
  const running = background(async (signal) => {
    seen = signal;
    await sleep(60_000, { signal }).catch(() => cleanup.promise);
  });
  assert.equal(seen?.aborted, false);
  const ended = Promise.resolve(running[Symbol.asyncDispose]());
  assert.ok(seen?.aborted);
  assert.equal(await stateOf(ended), "pending");
  cleanup.resolve();
  await ended;
  await running[Symbol.asyncDispose]();
});

test("a failure goes to onFailure once, also one before the first await, and disposing does not reject", async () => {
  const failure = new Error("no");
  const works: BackgroundWork[] = [() => Promise.reject(failure), () => assert.fail(failure)];
  for (const work of works) {
    const failures: unknown[] = [];
    await using _running = background(work, { onFailure: (error) => failures.push(error) });
    await settle();
    assert.deepEqual(failures, [failure]);
  }
});

test("a failure after the abort is dropped", async () => {
  const failures: unknown[] = [];
  const running = background((signal) => sleep(60_000, { signal }), { onFailure: (error) => failures.push(error) });
  await running[Symbol.asyncDispose]();
  assert.deepEqual(failures, []);
});

test("without onFailure a failure is an uncaught exception", async (t) => {
  const failure = new Error("no");
  const uncaught = t.mock.fn();
  const runners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", uncaught);
  background(() => Promise.reject(failure));
  await settle();
  for (const listener of runners) process.on("uncaughtException", listener);
  assert.deepEqual(
    uncaught.mock.calls.map(({ arguments: [error] }) => error as unknown),
    [failure],
  );
});

test("in every schedule the work has ended when disposing returns, and fails at most once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.nat(4), fc.nat(4), fc.boolean(), async (s, steps, microtasks, fails) => {
      let running = false;
      const failures: unknown[] = [];
      const work = async (signal: AbortSignal): Promise<void> => {
        running = true;
        try {
          for (let step = 0; step < steps && !signal.aborted; step++) await pause(s, "work", microtasks);
          if (fails) throw new Error("no");
        } finally {
          running = false;
        }
      };
      const handle = background(work, { onFailure: (error) => failures.push(error) });
      const stop = async (): Promise<void> => {
        await pause(s, "stop", microtasks);
        await handle[Symbol.asyncDispose]();
        assert.equal(running, false);
      };
      await allEnd(s, [stop()]);
      assert.ok(failures.length <= (fails ? 1 : 0));
    }),
    { numRuns: 300 },
  );
});
