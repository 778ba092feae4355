import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { codeOf } from "@plumbline/errors";
import * as fc from "fast-check";
import { allEnd, pause, settle, ticks } from "../test/explore.ts";
import { reasonOf, stateOf } from "../test/helpers.ts";
import { deadline, deadlineOf } from "./deadline.ts";
import { onAbort } from "./on-abort.ts";
import { type TaskGroup, taskGroup } from "./task-group.ts";

/** A task that ends only when its group aborts. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    onAbort(signal, () => reject(signal.reason as Error));
  });
}

test("a group returns when every task has ended", async () => {
  const ended: number[] = [];
  await taskGroup(async (group) => {
    for (const n of [3, 1, 2]) {
      await group.start(async () => {
        await ticks(n);
        ended.push(n);
      });
    }
    ended.push(0);
  });
  assert.deepEqual(ended.sort(), [0, 1, 2, 3]);
});

test("a group without tasks returns, and its body may be synchronous", async () => {
  await taskGroup(() => {});
});

test("the first failure aborts the others with itself as the reason and is thrown once they have ended", async () => {
  const failure = new Error("the first");
  let cleaned = false;
  const group = taskGroup(async (group) => {
    await group.start(async (signal) => {
      try {
        await untilAborted(signal);
      } finally {
        assert.equal(reasonOf(signal), failure);
        await settle();
        cleaned = true;
      }
    });
    await group.start(async () => {
      await ticks(3);
      throw failure;
    });
  });
  await assert.rejects(group, failure);
  assert.ok(cleaned, "the group returned before its task");
});

test("only the first failure is thrown", async () => {
  const group = taskGroup(async (group) => {
    await group.start(async (signal) => {
      await untilAborted(signal).catch(() => {
        throw new Error("the echo");
      });
    });
    await group.start(() => Promise.reject(new Error("the cause")));
  });
  await assert.rejects(group, /the cause/);
});

test("a body that throws aborts its tasks and waits for them", async () => {
  let ended = false;
  const group = taskGroup(async (group) => {
    await group.start((signal) => untilAborted(signal).finally(() => (ended = true)));
    throw new Error("body failed");
  });
  await assert.rejects(group, /body failed/);
  assert.ok(ended);
});

for (const { name, task } of [
  { name: "a task that throws before its first await", task: (): Promise<never> => assert.fail("at once") },
  { name: "a task that throws undefined", task: (): Promise<never> => Promise.reject(undefined) },
]) {
  test(`${name} fails the group`, async () => {
    const result = await taskGroup(async (group) => group.start(task)).then(
      () => "succeeded",
      () => "failed",
    );
    assert.equal(result, "failed");
  });
}

// golang/go#61611: errgroup starts tasks also after a failure.
test("after a failure no more tasks start, and start rejects with the failure", async () => {
  const failure = new Error("the first");
  const group = taskGroup(async (group) => {
    await group.start(() => Promise.reject(failure));
    await ticks(3);
    await assert.rejects(
      group.start(() => assert.fail("started")),
      failure,
    );
  });
  await assert.rejects(group, failure);
});

test("a task that gets its place at the moment of an abort does not start", async () => {
  for (let microtasks = 0; microtasks < 12; microtasks++) {
    const controller = new AbortController();
    const first = Promise.withResolvers<void>();
    let began = 0;
    await taskGroup(
      (group) => {
        void group.start(() => first.promise);
        for (const _ of [2, 3]) {
          void group.start(async (signal) => {
            assert.ok(!signal.aborted, `started although aborted, ${microtasks} microtasks after its place was free`);
            began++;
          });
        }
        first.resolve();
        void ticks(microtasks).then(() => controller.abort());
      },
      { signal: controller.signal, limit: 1 },
    );
    assert.ok(began <= 2);
  }
});

// golang/go#27837: with a semaphore beside an errgroup, the loop's own "cancelled" hides the
// failure behind it.
test("a loop that waits for a place does not hide the failure that stopped it", async () => {
  const failure = new Error("important message");
  const started: number[] = [];
  const group = taskGroup(
    async (group) => {
      for (let n = 0; n < 100; n++) {
        await group.start(async () => {
          started.push(n);
          await settle();
          if (n === 3) throw failure;
        });
      }
    },
    { limit: 2 },
  );
  await assert.rejects(group, failure);
  assert.ok(started.length <= 5, `${started.length} were started`);
});

test("a start that is not awaited is not an unhandled rejection when the group fails", async () => {
  const group = taskGroup(
    (group) => {
      for (let n = 0; n < 3; n++) void group.start(() => Promise.reject(new Error(`task ${n}`)));
    },
    { limit: 1 },
  );
  await assert.rejects(group, /task 0/);
  await settle();
});

test("at most the limit of tasks runs at a time, and start waits for a place", async () => {
  let running = 0;
  let most = 0;
  await taskGroup(
    async (group) => {
      for (let n = 0; n < 20; n++) {
        await group.start(async () => {
          running++;
          most = Math.max(most, running);
          await settle();
          running--;
        });
        assert.ok(running <= 3);
      }
    },
    { limit: 3 },
  );
  assert.equal(most, 3);
});

test("a task that waits for its place when the body ends still belongs to the group", async () => {
  const ended: number[] = [];
  await taskGroup(
    (group) => {
      for (let n = 0; n < 5; n++) {
        void group.start(async () => {
          await settle();
          ended.push(n);
        });
      }
    },
    { limit: 1 },
  );
  assert.deepEqual(ended, [0, 1, 2, 3, 4]);
});

test("a task may start others, which the group waits for too", async () => {
  let leaves = 0;
  const grow = (group: TaskGroup, depth: number) => async (): Promise<void> => {
    await ticks(depth);
    if (depth === 0) leaves++;
    else for (let n = 0; n < 2; n++) await group.start(grow(group, depth - 1));
  };
  await taskGroup((group) => group.start(grow(group, 6)));
  assert.equal(leaves, 64);
});

test("a group that has ended refuses tasks", async () => {
  let escaped: TaskGroup | undefined;
  await taskGroup((group) => {
    escaped = group;
  });
  await assert.rejects(
    (escaped as unknown as TaskGroup).start(() => assert.fail("started")),
    (error: unknown) => codeOf(error) === "failed_precondition",
  );
});

test("aborting the given signal aborts the group, which still waits for its tasks", async () => {
  const controller = new AbortController();
  const reason = new Error("stop");
  const { promise, resolve } = Promise.withResolvers<void>();
  const group = taskGroup(
    async (group) => {
      await group.start(async (signal) => {
        await untilAborted(signal).catch(() => promise);
        throw reasonOf(signal);
      });
    },
    { signal: controller.signal },
  );
  controller.abort(reason);
  assert.equal(await stateOf(group), "pending");
  resolve();
  await assert.rejects(group, reason);
});

test("an aborted signal starts nothing", async () => {
  const reason = new Error("too late");
  const group = taskGroup(() => assert.fail("began"), { signal: AbortSignal.abort(reason) });
  await assert.rejects(group, reason);
});

test("a group whose tasks all succeed succeeds, although its signal aborted", async () => {
  const controller = new AbortController();
  await taskGroup(
    async (group) => {
      await group.start(() => settle());
      controller.abort();
    },
    { signal: controller.signal },
  );
});

test("the group's signal has the deadline of the given one and is detached from it at the end", async () => {
  using limit = deadline(60_000);
  await taskGroup(
    (group) => {
      assert.equal(deadlineOf(group.signal), deadlineOf(limit.signal));
    },
    { signal: limit.signal },
  );
  assert.equal(getEventListeners(limit.signal, "abort").length, 0);
});

test("in every schedule work never outlives its scope, the limit holds, and the first failure is thrown", async () => {
  const task = fc.record({
    steps: fc.nat(3),
    microtasks: fc.nat(4),
    fails: fc.boolean(),
    obeys: fc.boolean(),
    starts: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      fc.array(task, { maxLength: 6 }),
      fc.boolean(),
      fc.boolean(),
      async (s, limit, tasks, awaits, aborts) => {
        const controller = new AbortController();
        const stop = new Error("from outside");
        let running = 0;
        let returned = false;
        let first: unknown;
        const work = (spec: (typeof tasks)[number], name: string, group: TaskGroup) => async (signal: AbortSignal) => {
          assert.ok(!signal.aborted, "started although aborted");
          assert.ok(!returned, "started after the group had returned");
          running++;
          assert.ok(running <= (limit ?? Number.POSITIVE_INFINITY), "more tasks run than allowed");
          try {
            // Not awaited: a task that waits for a place while it holds one can deadlock under a
            // limit.
            if (spec.starts) void group.start(work({ ...spec, starts: false }, `${name}'s child`, group));
            for (let step = 0; step < spec.steps; step++) {
              await pause(s, `${name} works`, spec.microtasks);
              assert.ok(!returned, "the group returned while a task ran");
              if (spec.obeys) signal.throwIfAborted();
            }
            if (spec.fails) throw new Error(name);
          } catch (error) {
            first ??= error;
            throw error;
          } finally {
            running--;
          }
        };
        const group = taskGroup(
          async (group) => {
            try {
              for (const [index, spec] of tasks.entries()) {
                const started = group.start(work(spec, `${index}`, group));
                if (awaits) await started;
                await pause(s, "body");
              }
            } catch (error) {
              first ??= error;
              throw error;
            }
          },
          { signal: controller.signal, limit },
        ).then(
          () => undefined,
          (error: unknown) => ({ error }),
        );
        const ended = group.then((result) => {
          returned = true;
          assert.equal(running, 0, "a task outlived its group");
          if (first !== undefined) assert.equal(result?.error, first);
          else if (result !== undefined) assert.equal(result.error, stop);
        });
        const abort = async (): Promise<void> => {
          await pause(s, "aborts");
          controller.abort(stop);
        };
        await allEnd(s, aborts ? [ended, abort()] : [ended]);
        assert.equal(getEventListeners(controller.signal, "abort").length, 0);
      },
    ),
    { numRuns: 500 },
  );
});
