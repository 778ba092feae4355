import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf } from "@plumbline/errors";
import * as fc from "fast-check";
import { allEnd, pause, settle } from "../test/explore.ts";
import { stateOf } from "../test/helpers.ts";
import { deadline } from "./deadline.ts";
import { Pool, PoolClosedError, PoolFullError } from "./pool.ts";

for (const options of [
  { concurrency: 0, queue: 1 },
  { concurrency: 1.5, queue: 1 },
  { concurrency: Number.POSITIVE_INFINITY, queue: 1 },
  { concurrency: 1, queue: -1 },
  { concurrency: 1, queue: Number.POSITIVE_INFINITY },
  { concurrency: 1, queue: Number.NaN },
]) {
  test(`a pool of ${JSON.stringify(options)} is refused`, () => assert.throws(() => new Pool(options), RangeError));
}

/** A task that a test ends. */
function held(): {
  task: () => Promise<string>;
  end: () => void;
  fail: (error: Error) => void;
  started: () => boolean;
} {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let started = false;
  return {
    task: () => {
      started = true;
      return promise;
    },
    end: () => resolve("ended"),
    fail: reject,
    started: () => started,
  };
}

test("run settles as its task does", async () => {
  const pool = new Pool({ concurrency: 1, queue: 0 });
  assert.equal(await pool.run(() => Promise.resolve(7)), 7);
  await assert.rejects(
    pool.run(() => Promise.reject(new Error("failed"))),
    /failed/,
  );
  const thrower = (): Promise<void> => {
    throw new Error("at once");
  };
  await assert.rejects(pool.run(thrower), /at once/);
  assert.deepEqual([pool.running, pool.queued], [0, 0]);
});

test("tasks wait in order, and the gauges count them", async () => {
  const pool = new Pool({ concurrency: 2, queue: 2 });
  const tasks = [held(), held(), held(), held()] as const;
  const runs = tasks.map(({ task }) => pool.run(task));
  assert.deepEqual([pool.running, pool.queued], [2, 2]);
  tasks[1].end();
  await runs[1];
  await settle();
  assert.deepEqual(
    tasks.map(({ started }) => started()),
    [true, true, true, false],
  );
  assert.deepEqual([pool.running, pool.queued], [2, 1]);
  for (const { end } of tasks) end();
  await Promise.all(runs);
  assert.deepEqual([pool.running, pool.queued], [0, 0]);
});

test("a full pool refuses at once, with its numbers in the message", async () => {
  const pool = new Pool({ concurrency: 1, queue: 1 });
  const first = held();
  const runs = [pool.run(first.task), pool.run(() => Promise.resolve("second"))];
  const refused = pool.run(() => assert.fail("ran"));
  await assert.rejects(refused, (error: unknown) => {
    assert.ok(error instanceof PoolFullError);
    assert.deepEqual([codeOf(error), error.reason], ["resource_exhausted", "POOL_FULL"]);
    return true;
  });
  first.end();
  await Promise.all(runs);
  assert.equal(await pool.run(() => Promise.resolve("later")), "later");
});

test("a pool without a queue runs what fits and refuses the rest", async () => {
  const pool = new Pool({ concurrency: 1, queue: 0 });
  const first = held();
  const run = pool.run(first.task);
  await assert.rejects(
    pool.run(() => Promise.resolve()),
    PoolFullError,
  );
  first.end();
  await run;
});

test("a cancelled task leaves the queue, never runs and frees its place", async () => {
  const pool = new Pool({ concurrency: 1, queue: 1 });
  const first = held();
  const run = pool.run(first.task);
  const controller = new AbortController();
  const cancelled = pool.run(() => assert.fail("ran"), { signal: controller.signal });
  const reason = new Error("gave up");
  controller.abort(reason);
  await assert.rejects(cancelled, reason);
  assert.equal(pool.queued, 0);
  const next = pool.run(() => Promise.resolve("next"));
  first.end();
  assert.deepEqual(await Promise.all([run, next]), ["ended", "next"]);
});

// sindresorhus/p-queue#241: with the pool at capacity this never settled.
test("a task with an aborted signal rejects with its reason, in a busy pool and in a free one", async () => {
  const pool = new Pool({ concurrency: 1, queue: 1 });
  const reason = new Error("before it began");
  await assert.rejects(
    pool.run(() => assert.fail("ran"), { signal: AbortSignal.abort(reason) }),
    reason,
  );
  const first = held();
  const run = pool.run(first.task);
  await assert.rejects(
    pool.run(() => assert.fail("ran"), { signal: AbortSignal.abort(reason) }),
    reason,
  );
  first.end();
  await run;
});

// sindresorhus/p-queue#168: the pool was stuck with one running task.
test("aborting a running and a waiting task together leaves the pool free", async () => {
  const pool = new Pool({ concurrency: 1, queue: 1 });
  const { signal, abort } = (() => {
    const controller = new AbortController();
    return { signal: controller.signal, abort: () => controller.abort() };
  })();
  const untilAborted = (): Promise<never> =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  const runs = [pool.run(untilAborted, { signal }), pool.run(untilAborted, { signal })];
  abort();
  for (const run of runs) await assert.rejects(run, { name: "AbortError" });
  assert.deepEqual([pool.running, pool.queued], [0, 0]);
  assert.equal(await pool.run(() => Promise.resolve("free")), "free");
});

test("an aborted task counts as running until it ends", async () => {
  const pool = new Pool({ concurrency: 1, queue: 0 });
  const controller = new AbortController();
  const task = held();
  const run = pool.run(task.task, { signal: controller.signal });
  controller.abort();
  assert.equal(await stateOf(run), "pending");
  assert.equal(pool.running, 1);
  task.end();
  assert.equal(await run, "ended");
});

test("closing refuses new tasks and waits for the accepted ones, also those in the queue", async () => {
  const tasks = [held(), held()] as const;
  const pool = new Pool({ concurrency: 1, queue: 1 });
  const runs = tasks.map(({ task }) => pool.run(task));
  const closed = pool.close();
  await assert.rejects(
    pool.run(() => assert.fail("ran")),
    PoolClosedError,
  );
  tasks[0].end();
  assert.equal(await stateOf(closed), "pending");
  assert.ok(tasks[1].started());
  tasks[1].fail(new Error("failed"));
  await closed;
  assert.equal(await runs[0], "ended");
  await assert.rejects(runs[1] as Promise<string>, /failed/);
});

test("closing does not wait for a task that left the queue", async () => {
  const pool = new Pool({ concurrency: 1, queue: 1 });
  const first = held();
  const controller = new AbortController();
  const runs = [pool.run(first.task), pool.run(() => assert.fail("ran"), { signal: controller.signal })];
  const closed = pool.close();
  controller.abort();
  first.end();
  await closed;
  assert.equal((await Promise.allSettled(runs))[1]?.status, "rejected");
});

test("an idle pool closes at once, also a second time", async () => {
  const pool = new Pool({ concurrency: 1, queue: 0 });
  await pool.close();
  await pool.close();
});

test("`await using` waits for the work of its block", async () => {
  let done = false;
  {
    await using pool = new Pool({ concurrency: 1, queue: 0 });
    void pool.run(async () => {
      await settle();
      done = true;
    });
  }
  assert.ok(done);
});

test("a task that waits for its own pool ends at its deadline", async () => {
  const pool = new Pool({ concurrency: 1, queue: 1 });
  using limit = deadline(20);
  const { signal } = limit;
  const outer = pool.run(() => pool.run(() => assert.fail("ran"), { signal }), { signal });
  await assert.rejects(outer, { name: "TimeoutError" });
  assert.deepEqual([pool.running, pool.queued], [0, 0]);
});

test("in every schedule the bounds hold, each accepted task runs once and in order, and the rest are refused", async () => {
  const caller = fc.record({ microtasks: fc.nat(4), aborts: fc.boolean(), fails: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 3 }),
      fc.nat(3),
      fc.array(caller, { minLength: 1, maxLength: 9 }),
      async (s, concurrency, queue, callers) => {
        const pool = new Pool({ concurrency, queue });
        let running = 0;
        const accepted: number[] = [];
        const began: number[] = [];
        const outcome = { ran: 0, full: 0, aborted: 0, closed: 0 };
        const checkBounds = (): void => {
          assert.ok(running <= concurrency, "more tasks run than allowed");
          assert.ok(pool.running <= concurrency, "more tasks are counted as running than allowed");
          assert.ok(pool.queued <= queue, "more tasks wait than allowed");
        };
        const call = async (
          index: number,
          { microtasks, fails }: { microtasks: number; fails: boolean },
          signal: AbortSignal,
        ) => {
          await pause(s, `${index} comes`, microtasks);
          const wasFull = pool.running === concurrency && pool.queued === queue;
          accepted.push(index);
          try {
            await pool.run(
              async () => {
                began.push(index);
                running++;
                checkBounds();
                await pause(s, `${index} runs`, microtasks);
                running--;
                outcome.ran++;
                if (fails) throw new Error("task failed");
              },
              { signal },
            );
          } catch (error) {
            if (fails && (error as Error).message === "task failed") return;
            accepted.splice(accepted.indexOf(index), 1);
            if (error instanceof PoolFullError) {
              assert.ok(wasFull, "refused although there was a free place");
              outcome.full++;
            } else if (error instanceof PoolClosedError) outcome.closed++;
            else {
              assert.equal(error, signal.reason);
              outcome.aborted++;
            }
          } finally {
            checkBounds();
          }
        };
        const actors = callers.flatMap((caller, index) => {
          const controller = new AbortController();
          const abort = async (): Promise<void> => {
            await pause(s, `${index} aborts`, caller.microtasks);
            controller.abort();
          };
          const called = call(index, caller, controller.signal);
          return caller.aborts ? [called, abort()] : [called];
        });
        const close = async (): Promise<void> => {
          await pause(s, "closes");
          await pool.close();
          assert.equal(running, 0, "closed while tasks ran");
          assert.deepEqual([pool.running, pool.queued], [0, 0]);
        };
        await allEnd(s, [...actors, close()]);
        assert.deepEqual(began, accepted);
        assert.equal(outcome.ran + outcome.full + outcome.aborted + outcome.closed, callers.length);
      },
    ),
    { numRuns: 500 },
  );
});
