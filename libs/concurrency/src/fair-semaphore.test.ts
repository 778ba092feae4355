import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import * as fc from "fast-check";
import { settle } from "../test/explore.ts";
import { FairSemaphore } from "./fair-semaphore.ts";

interface Request {
  readonly share: string;
  readonly cost: number;
  readonly controller: AbortController;
  permit?: Disposable;
  isOver?: boolean;
  /** The cost that others were granted while this was the first of its share. */
  readonly passed: Map<string, number>;
}

const maxCost = 8;
const request = fc.record({
  kind: fc.constant("acquire" as const),
  share: fc.constantFrom("a", "b", "c", "d"),
  cost: fc.integer({ min: 1, max: maxCost }),
});
const step = fc.oneof(
  { weight: 3, arbitrary: request },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("release" as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("abort" as const), which: fc.nat(20) }) },
);

test("under any interleaving, bounds hold, no permit idles, shares keep their order and none starves", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(step, { maxLength: 80 }),
      async (permits, perShare, steps) => {
        const semaphore = new FairSemaphore({ permits, perShare });
        const all: Request[] = [];
        const wrong: string[] = [];
        const holders = () => all.filter(({ permit, isOver }) => permit !== undefined && isOver !== true);
        const waiters = () => all.filter(({ permit, isOver }) => permit === undefined && isOver !== true);
        const held = (share: string) => holders().filter((one) => one.share === share).length;
        const firstOf = (share: string) => waiters().find((one) => one.share === share);

        const acquire = (share: string, cost: number): void => {
          const controller = new AbortController();
          const one: Request = { share, cost, controller, passed: new Map() };
          const { signal } = controller;
          semaphore.acquire({ share, cost, signal }).then(
            (permit) => {
              if (firstOf(share) !== one) wrong.push(`${share} does not keep its order`);
              for (const other of waiters()) {
                // A share at its own bound earns nothing.
                if (other.share === share || firstOf(other.share) !== other || held(other.share) >= perShare) continue;
                const passed = (other.passed.get(share) ?? 0) + cost;
                other.passed.set(share, passed);
                if (passed > other.cost + maxCost) wrong.push(`${share} passed ${other.share} with ${passed}`);
              }
              one.permit = permit;
            },
            () => {},
          );
          all.push(one);
        };
        const end = (one: Request | undefined): void => {
          if (one === undefined) return;
          one.isOver = true;
          if (one.permit === undefined) one.controller.abort();
          else one.permit[Symbol.dispose]();
        };
        const check = (): void => {
          assert.deepEqual(wrong, []);
          assert.ok(holders().length <= permits);
          for (const share of ["a", "b", "c", "d"]) assert.ok(held(share) <= perShare);
          assert.equal(semaphore.available, permits - holders().length);
          assert.equal(semaphore.waiting, waiters().length);
          if (semaphore.available > 0)
            for (const { share } of waiters()) assert.ok(held(share) >= perShare, "a permit idles");
        };

        for (const each of steps) {
          if (each.kind === "acquire") acquire(each.share, each.cost);
          else if (each.kind === "release") end(holders()[each.which % Math.max(1, holders().length)]);
          else end(waiters()[each.which % Math.max(1, waiters().length)]);
          await settle();
          check();
        }
        while (holders().length > 0) {
          end(holders()[0]);
          await settle();
          check();
        }
        assert.deepEqual([semaphore.waiting, semaphore.available, semaphore.shares], [0, permits, 0]);
      },
    ),
    { numRuns: 150 },
  );
});

test("a share of cheap requests is served before a share of expensive ones, up to the same cost", async () => {
  const semaphore = new FairSemaphore({ permits: 1 });
  const order: string[] = [];
  const run = async (share: string, cost: number): Promise<void> => {
    using _permit = await semaphore.acquire({ share, cost });
    order.push(share);
    await settle();
  };
  const held = await semaphore.acquire({ share: "flood", cost: 100 });
  const all = [...Array(5).keys()].map(() => run("flood", 100));
  for (let count = 0; count < 20; count++) all.push(run("polite", 1));
  held[Symbol.dispose]();
  await Promise.all(all);
  assert.deepEqual(order.slice(0, 20), Array(20).fill("polite"));
});

test("two shares that always wait get the same cost, whatever their requests cost", async () => {
  const semaphore = new FairSemaphore({ permits: 1 });
  const got = new Map([
    ["large", 0],
    ["small", 0],
  ]);
  const held = await semaphore.acquire({ share: "first" });
  const requests = [...Array(400).keys()].flatMap(() => [
    { share: "large", cost: 10 },
    { share: "small", cost: 1 },
  ]);
  let count = 0;
  const all = requests.map(async ({ share, cost }) => {
    using _permit = await semaphore.acquire({ share, cost });
    count++;
    if (count <= 220) got.set(share, (got.get(share) ?? 0) + cost);
  });
  held[Symbol.dispose]();
  await Promise.all(all);
  assert.deepEqual([...got.values()], [200, 200]);
});

test("one share holds no more than its bound, and the nameless share has none", async () => {
  const semaphore = new FairSemaphore({ permits: 4, perShare: 3 });
  let granted = 0;
  for (let count = 0; count < 8; count++) void semaphore.acquire({ share: "flood" }).then(() => granted++);
  await settle();
  assert.deepEqual([granted, semaphore.available, semaphore.waiting], [3, 1, 5]);
  using _other = await semaphore.acquire({ share: "other" });
  assert.equal(semaphore.available, 0);

  const whole = new FairSemaphore({ permits: 4, perShare: 3 });
  for (let count = 0; count < 4; count++) await whole.acquire({ share: "" });
  assert.equal(whole.available, 0);
});

test("an aborted request takes no permit and leaves no listener", async () => {
  const semaphore = new FairSemaphore({ permits: 1 });
  const held = await semaphore.acquire({ share: "a" });
  const controller = new AbortController();
  const waiting = semaphore.acquire({ share: "b", signal: controller.signal });
  const next = semaphore.acquire({ share: "c", signal: controller.signal });
  controller.abort(new Error("gave up"));
  await assert.rejects(waiting, /gave up/);
  await assert.rejects(next, /gave up/);
  await assert.rejects(semaphore.acquire({ share: "d", signal: controller.signal }), /gave up/);
  held[Symbol.dispose]();
  held[Symbol.dispose]();
  assert.deepEqual([semaphore.available, semaphore.shares], [1, 0]);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
});

test("invalid numbers of permits and costs are refused", () => {
  for (const permits of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => new FairSemaphore({ permits }), RangeError);
    assert.throws(() => new FairSemaphore({ permits: 1, perShare: permits }), RangeError);
  }
  const semaphore = new FairSemaphore({ permits: 1 });
  for (const cost of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => semaphore.acquire({ share: "a", cost }), RangeError);
});
