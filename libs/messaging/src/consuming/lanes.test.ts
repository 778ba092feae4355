import assert from "node:assert/strict";
import { test } from "node:test";
import { FairSemaphore } from "@plumbline/concurrency";
import * as fc from "fast-check";
import { eventually, gate } from "../conformance/test-context.ts";
import { NotDueError } from "../errors.ts";
import { Lanes } from "./lanes.ts";

const backoff = { baseMs: 1, maxMs: 4 };

test("under any schedule, tasks of one key run in order without overlap, and no more run than there are slots", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 12 }),
      async (scheduler, slots, keys) => {
        const lanes = new Lanes(new FairSemaphore({ permits: slots }), backoff);
        const running = new Set<string>();
        const done: { key: string; index: number }[] = [];
        const all = keys.map((key, index) =>
          lanes.add(key, async () => {
            assert.ok(!running.has(key));
            running.add(key);
            assert.ok(running.size <= slots);
            await scheduler.schedule(Promise.resolve());
            running.delete(key);
            done.push({ key, index });
          }),
        );
        await scheduler.waitFor(Promise.all(all));
        for (const key of new Set(keys)) {
          const order = done.filter((entry) => entry.key === key).map((entry) => entry.index);
          assert.deepEqual(
            order,
            order.toSorted((a, b) => a - b),
          );
        }
        assert.equal(done.length, keys.length);
      },
    ),
    { numRuns: 50 },
  );
});

test("a failing task holds its lane but no slot", async () => {
  const lanes = new Lanes(new FairSemaphore({ permits: 1 }), backoff);
  const seen: string[] = [];
  let failing = true;
  const poison = lanes.add("poison", async () => {
    if (failing) throw new Error("not yet");
    seen.push("poison");
  });
  const follower = lanes.add("poison", async () => void seen.push("follower"));
  for (let i = 0; i < 5; i++) await lanes.add(`other-${i}`, async () => void seen.push("other"));
  assert.deepEqual(seen, Array(5).fill("other"));
  failing = false;
  assert.deepEqual(await Promise.all([poison, follower]), [true, true]);
  assert.deepEqual(seen.slice(5), ["poison", "follower"]);
});

test("a failing task and those behind it count as held by failures, and a task that is not due does not", async () => {
  const lanes = new Lanes(new FairSemaphore({ permits: 3 }), backoff);
  let [failing, early] = [true, true];
  const tasks = [
    lanes.add("failing", async () => {
      if (failing) throw new Error("not yet");
    }),
    lanes.add("failing", async () => undefined),
    lanes.add("early", async () => {
      if (early) throw new NotDueError(1);
    }),
  ];
  await eventually(() => lanes.heldByFailures > 0, "the first failure");
  for (let i = 0; i < 10; i++) await lanes.add(`other-${i}`, async () => undefined);
  assert.equal(lanes.heldByFailures, 2);
  [failing, early] = [false, false];
  assert.deepEqual(await Promise.all(tasks), [true, true, true]);
  assert.equal(lanes.heldByFailures, 0);
});

test("stopping lets the running task end and drops those that wait for a slot, a lane or a backoff", async () => {
  const lanes = new Lanes(new FairSemaphore({ permits: 1 }), { baseMs: 60_000, maxMs: 60_000 });
  const [started, finish] = [gate(), gate()];
  let failed = false;
  const backingOff = lanes.add("failed", async () => {
    failed = true;
    throw new Error("later");
  });
  await eventually(() => failed, "the first attempt");
  const running = lanes.add("running", () => {
    started.open();
    return finish.passed;
  });
  await started.passed;
  const behind = lanes.add("running", async () => assert.fail("started"));
  const waiting = lanes.add("waiting", async () => assert.fail("started"));
  lanes.stop();
  assert.deepEqual(await Promise.all([backingOff, waiting]), [false, false]);
  finish.open();
  assert.deepEqual(await Promise.all([running, behind]), [true, false]);
  assert.equal(await lanes.add("new", async () => assert.fail("started")), false);
});

test("a client's task runs soon, however many tasks of another client wait", async () => {
  const lanes = new Lanes(new FairSemaphore({ permits: 4, perShare: 3 }), backoff);
  const finish = gate();
  let flooding = 0;
  const flood = Array.from({ length: 300 }, (_, index) =>
    lanes.add(
      `flood-${index}`,
      async () => {
        flooding++;
        await finish.passed;
      },
      { share: "192.0.2.1", cost: 100 },
    ),
  );
  await eventually(() => flooding === 3, "the flood to have all that it may have");
  for (let index = 0; index < 5; index++)
    assert.equal(await lanes.add(`other-${index}`, async () => {}, { share: "192.0.2.2", cost: 1 }), true);
  assert.equal(flooding, 3);
  finish.open();
  await Promise.all(flood);
  assert.equal(flooding, 300);
});

test("under any schedule, the tasks of one key keep their order although their shares differ", async () => {
  const task = fc.record({
    key: fc.constantFrom("a", "b", "c"),
    share: fc.constantFrom("", "one", "two"),
    cost: fc.integer({ min: 1, max: 100 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(task, { minLength: 1, maxLength: 15 }), async (scheduler, tasks) => {
      const lanes = new Lanes(new FairSemaphore({ permits: 2, perShare: 1 }), backoff);
      const done: { key: string; index: number }[] = [];
      const all = tasks.map(({ key, share, cost }, index) =>
        lanes.add(
          key,
          async () => {
            await scheduler.schedule(Promise.resolve());
            done.push({ key, index });
          },
          { share, cost },
        ),
      );
      await scheduler.waitFor(Promise.all(all));
      assert.equal(done.length, tasks.length);
      for (const one of ["a", "b", "c"]) {
        const order = done.filter(({ key }) => key === one).map(({ index }) => index);
        assert.deepEqual(
          order,
          order.toSorted((a, b) => a - b),
        );
      }
    }),
    { numRuns: 50 },
  );
});
