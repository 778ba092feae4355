import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import * as fc from "fast-check";
import { allEnd, pause, settle, ticks } from "../test/explore.ts";
import { stateOf } from "../test/helpers.ts";
import { Semaphore } from "./semaphore.ts";

for (const permits of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`a semaphore of ${permits} permits is refused`, () => assert.throws(() => new Semaphore(permits), RangeError));
}

test("at most as many callers as permits hold one at a time", async () => {
  const semaphore = new Semaphore(2);
  await semaphore.acquire();
  const second = await semaphore.acquire();
  const third = semaphore.acquire();
  assert.equal(await stateOf(third), "pending");
  assert.deepEqual([semaphore.available, semaphore.waiting], [0, 1]);
  second[Symbol.dispose]();
  assert.equal(await stateOf(third), "resolved");
  assert.deepEqual([semaphore.available, semaphore.waiting], [0, 0]);
});

test("a released permit goes to the longest waiter, and a later caller cannot overtake", async () => {
  const semaphore = new Semaphore(1);
  const held = await semaphore.acquire();
  const order: string[] = [];
  for (const name of ["first", "second"]) semaphore.acquire().then(() => order.push(name));
  held[Symbol.dispose]();
  // The first waiter has not continued yet, but already owns the permit.
  assert.equal(semaphore.tryAcquire(), undefined);
  semaphore.acquire().then(() => order.push("third"));
  await settle();
  assert.deepEqual(order, ["first"]);
  assert.equal(semaphore.waiting, 2);
});

test("a cancelled waiter takes no permit, and the next waiter gets it", async () => {
  const semaphore = new Semaphore(1);
  const held = await semaphore.acquire();
  const controller = new AbortController();
  const reason = new Error("gave up");
  const cancelled = assert.rejects(semaphore.acquire({ signal: controller.signal }), reason);
  const next = semaphore.acquire();
  controller.abort(reason);
  assert.equal(semaphore.waiting, 1);
  held[Symbol.dispose]();
  (await next)[Symbol.dispose]();
  await cancelled;
  assert.equal(semaphore.available, 1);
});

// golang/go#63615: Acquire with a context already done could still succeed.
test("an aborted signal gets no permit even when one is free", async () => {
  const semaphore = new Semaphore(1);
  const reason = new Error("too late");
  await assert.rejects(semaphore.acquire({ signal: AbortSignal.abort(reason) }), reason);
  assert.equal(semaphore.available, 1);
});

test("an aborted signal does not wait", async () => {
  const semaphore = new Semaphore(1);
  await semaphore.acquire();
  await assert.rejects(semaphore.acquire({ signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(semaphore.waiting, 0);
});

test("aborting after the hand-over does not lose the permit", async () => {
  const semaphore = new Semaphore(1);
  const held = await semaphore.acquire();
  const controller = new AbortController();
  const waiter = semaphore.acquire({ signal: controller.signal });
  held[Symbol.dispose]();
  controller.abort();
  (await waiter)[Symbol.dispose]();
  assert.equal(semaphore.available, 1);
});

test("releasing twice frees one", async () => {
  const semaphore = new Semaphore(2);
  const first = await semaphore.acquire();
  await semaphore.acquire();
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.equal(semaphore.available, 1);
});

test("releasing twice does not take the permit from its next holder", async () => {
  const semaphore = new Semaphore(1);
  const first = await semaphore.acquire();
  const second = semaphore.acquire();
  const third = semaphore.acquire();
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.equal(await stateOf(second), "resolved");
  assert.equal(await stateOf(third), "pending");
});

test("`using` gives the permit back when the block throws", async () => {
  const semaphore = new Semaphore(1);
  await assert.rejects(async () => {
    using _permit = await semaphore.acquire();
    throw new Error("inside");
  }, /inside/);
  assert.equal(semaphore.available, 1);
});

test("a waiter that got its permit leaves no listener on its signal", async () => {
  const semaphore = new Semaphore(1);
  const { signal } = new AbortController();
  for (let i = 0; i < 100; i++) {
    const [first, second] = [semaphore.acquire({ signal }), semaphore.acquire({ signal })];
    (await first)[Symbol.dispose]();
    (await second)[Symbol.dispose]();
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("a hundred thousand waiters are served in order", async () => {
  const semaphore = new Semaphore(1);
  let next = 0;
  const work = async (turn: number): Promise<void> => {
    using _permit = await semaphore.acquire();
    assert.equal(turn, next++);
  };
  await Promise.all(Array.from({ length: 100_000 }, (_, turn) => work(turn)));
  assert.equal(next, 100_000);
});

test("after any operations a semaphore agrees with a model that lists the waiters", async () => {
  const step = fc.record({ do: fc.constantFrom("acquire", "try", "abort", "release"), which: fc.nat(20) });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 40 }), async (permits, steps) => {
      const semaphore = new Semaphore(permits);
      const controllers: AbortController[] = [];
      const held = new Map<number, Disposable>();
      const released: Disposable[] = [];
      const model = { free: permits, waiting: [] as number[], holding: new Set<number>() };
      for (const step of steps) {
        if (step.do === "acquire" || step.do === "try") {
          const id = controllers.push(new AbortController()) - 1;
          const signal = controllers[id]?.signal;
          if (step.do === "acquire") {
            semaphore.acquire({ signal }).then(
              (permit) => held.set(id, permit),
              () => {},
            );
          } else {
            const permit = semaphore.tryAcquire();
            if (permit !== undefined) held.set(id, permit);
          }
          if (model.free > 0) {
            model.free--;
            model.holding.add(id);
          } else if (step.do === "acquire") model.waiting.push(id);
        } else if (step.do === "abort") {
          const id = step.which % Math.max(controllers.length, 1);
          controllers[id]?.abort();
          model.waiting = model.waiting.filter((waiter) => waiter !== id);
        } else {
          // Sometimes a permit that was released before.
          const holders = [...held];
          const [id, permit] = holders[step.which % (holders.length + 1)] ?? [undefined, released[0]];
          permit?.[Symbol.dispose]();
          if (id === undefined || permit === undefined) continue;
          held.delete(id);
          released.push(permit);
          model.holding.delete(id);
          const next = model.waiting.shift();
          if (next === undefined) model.free++;
          else model.holding.add(next);
        }
        assert.deepEqual([semaphore.available, semaphore.waiting], [model.free, model.waiting.length]);
        await ticks(3);
        assert.deepEqual(new Set(held.keys()), model.holding);
      }
    }),
    { numRuns: 300 },
  );
});

test("in every schedule the bound holds, all get a permit in order, and every permit is released", async () => {
  const worker = fc.record({ rounds: fc.integer({ min: 1, max: 3 }), microtasks: fc.nat(4), gives: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 3 }),
      fc.array(worker, { minLength: 1, maxLength: 6 }),
      async (s, permits, workers) => {
        const semaphore = new Semaphore(permits);
        let holding = 0;
        const asked: number[] = [];
        const got: number[] = [];
        let turns = 0;
        const actors = workers.flatMap(({ rounds, microtasks, gives }, index) => {
          const controller = new AbortController();
          const work = async (): Promise<void> => {
            for (let round = 0; round < rounds; round++) {
              await pause(s, `${index} asks`, microtasks);
              const turn = turns++;
              asked.push(turn);
              try {
                using _permit = await semaphore.acquire({ signal: controller.signal });
                got.push(turn);
                holding++;
                assert.ok(holding <= permits, "more callers hold a permit than allowed");
                await pause(s, `${index} holds`, microtasks);
                holding--;
              } catch (error) {
                assert.equal(error, controller.signal.reason);
                asked.splice(asked.indexOf(turn), 1);
              }
            }
          };
          const giveUp = async (): Promise<void> => {
            await pause(s, `${index} gives up`, microtasks);
            controller.abort();
          };
          return gives ? [work(), giveUp()] : [work()];
        });
        await allEnd(s, actors);
        assert.deepEqual(got, asked);
        assert.deepEqual([semaphore.available, semaphore.waiting], [permits, 0]);
      },
    ),
    { numRuns: 500 },
  );
});
