import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import * as fc from "fast-check";
import { allEnd, pause, ticks } from "../test/explore.ts";
import { stateOf } from "../test/helpers.ts";
import { Event } from "./event.ts";

test("a wait ends when the event is set, and the next wait waits again", async () => {
  const event = new Event();
  const first = event.wait();
  assert.equal(await stateOf(first), "pending");
  event.set();
  assert.equal(await first, true);
  assert.equal(event.isSet, false);
  assert.equal(await stateOf(event.wait()), "pending");
});

test("an event that was set before the wait ends it at once, however often it was set", async () => {
  const event = new Event();
  event.set();
  event.set();
  assert.ok(event.isSet);
  assert.equal(await event.wait(), true);
  assert.equal(await stateOf(event.wait()), "pending");
});

test("each set wakes one waiter, the longest waiting first", async () => {
  const event = new Event();
  const woken: number[] = [];
  for (const n of [1, 2, 3]) void event.wait().then(() => woken.push(n));
  event.set();
  await ticks(5);
  assert.deepEqual(woken, [1]);
  event.set();
  event.set();
  await ticks(5);
  assert.deepEqual(woken, [1, 2, 3]);
  assert.equal(event.isSet, false);
});

test("a wait that times out resolves with false and takes no later set", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const event = new Event();
  const waiting = event.wait({ ms: 100 });
  t.mock.timers.tick(99);
  assert.equal(await stateOf(waiting), "pending");
  t.mock.timers.tick(1);
  assert.equal(await waiting, false);
  event.set();
  assert.ok(event.isSet);
});

test("a wait of no time returns at once: true if the event was set, else false", async () => {
  const event = new Event();
  assert.equal(await event.wait({ ms: 0 }), false);
  event.set();
  assert.equal(await event.wait({ ms: -1 }), true);
});

test("an aborted wait rejects with the reason and takes no set", async () => {
  const event = new Event();
  const controller = new AbortController();
  const reason = new Error("stop");
  const waiting = event.wait({ signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(waiting, reason);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  event.set();
  assert.ok(event.isSet);
  await assert.rejects(event.wait({ signal: controller.signal }), reason);
  assert.ok(event.isSet, "an aborted signal gets nothing");
});

test("a waiter that was woken stays woken when its signal aborts before it runs", async () => {
  const event = new Event();
  const controller = new AbortController();
  const waiting = event.wait({ signal: controller.signal });
  event.set();
  controller.abort();
  assert.equal(await waiting, true);
});

test("a wait that has ended leaves neither timer nor listener", async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
  const before = timers();
  const event = new Event();
  const { signal } = new AbortController();
  const waiting = event.wait({ ms: 60_000, signal });
  assert.equal(timers(), before + 1);
  event.set();
  await waiting;
  assert.equal(timers(), before);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("in every schedule all work that producers announce is done, although some consumers give up", async () => {
  const producer = fc.record({ items: fc.integer({ min: 1, max: 3 }), microtasks: fc.nat(4) });
  const consumer = fc.record({ microtasks: fc.nat(4), gives: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(producer, { minLength: 1, maxLength: 4 }),
      fc.array(consumer, { maxLength: 3 }),
      async (s, producers, consumers) => {
        const event = new Event();
        const all = producers.reduce((sum, { items }) => sum + items, 0);
        let queued = 0;
        let done = 0;
        const allDone = new AbortController();
        const produce = producers.map(async ({ items, microtasks }, index) => {
          for (let n = 0; n < items; n++) {
            await pause(s, `producer ${index}`, microtasks);
            queued++;
            event.set();
          }
        });
        const consume = async (name: string, microtasks: number, signal: AbortSignal): Promise<void> => {
          try {
            for (;;) {
              await event.wait({ signal });
              while (queued > 0) {
                queued--;
                await pause(s, name, microtasks);
                done++;
                if (done === all) allDone.abort();
              }
            }
          } catch (error) {
            assert.equal(error, signal.reason);
          }
        };
        // The first never gives up: it must do what the others leave.
        const actors = [{ microtasks: 1, gives: false }, ...consumers].flatMap(({ microtasks, gives }, index) => {
          const own = new AbortController();
          allDone.signal.addEventListener("abort", () => own.abort());
          const giveUp = async (): Promise<void> => {
            await pause(s, `consumer ${index} gives up`, microtasks);
            own.abort();
          };
          const working = consume(`consumer ${index}`, microtasks, own.signal);
          return gives ? [working, giveUp()] : [working];
        });
        await allEnd(s, [...produce, ...actors]);
        assert.equal(done, all);
      },
    ),
    { numRuns: 500 },
  );
});

test("in every order of sets, waits and aborts it behaves as its model", async () => {
  const step = fc.record({ do: fc.constantFrom("set", "wait", "abort"), which: fc.nat(9), microtasks: fc.nat(2) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const event = new Event();
      const controllers: AbortController[] = [];
      const woken = new Set<number>();
      const model = { isSet: false, waiting: [] as number[], woken: new Set<number>() };
      for (const step of steps) {
        if (step.do === "set") {
          event.set();
          const next = model.waiting.shift();
          if (next === undefined) model.isSet = true;
          else model.woken.add(next);
        } else if (step.do === "wait") {
          const controller = new AbortController();
          const id = controllers.push(controller) - 1;
          event.wait({ signal: controller.signal }).then(
            () => woken.add(id),
            () => {},
          );
          if (model.isSet) model.woken.add(id);
          else model.waiting.push(id);
          model.isSet = false;
        } else {
          const id = step.which % Math.max(controllers.length, 1);
          controllers[id]?.abort();
          model.waiting = model.waiting.filter((waiter) => waiter !== id);
        }
        assert.equal(event.isSet, model.isSet);
        await ticks(step.microtasks);
      }
      await ticks(5);
      assert.deepEqual(woken, model.woken);
    }),
    { numRuns: 500 },
  );
});
