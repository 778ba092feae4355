import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { Scheduler } from "fast-check";

/**
 * Lets the schedule decide which actor continues here, and then passes some microtasks. JavaScript
 * has no data races, but it has races: at each `await` others run. The tests explore them in two
 * ways. fast-check's scheduler picks the actor at each `pause`. `ticks` shifts actors against each
 * other by single microtasks, between the resolving of a promise and the continuation of its
 * waiter, where hand-overs get lost.
 */
export async function pause(s: Scheduler, label: string, microtasks = 0): Promise<void> {
  await s.schedule(Promise.resolve(), label);
  await ticks(microtasks);
}

/** Waits for `count` rounds of microtasks. */
export async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

/** Waits until every microtask has run, also those that follow from others. */
export async function settle(): Promise<void> {
  await setImmediate();
}

/**
 * Runs `actors` to the end under the schedule of `s`. Only the schedule moves them. If one still
 * waits when the schedule is used up, it would wait without end: a deadlock or a lost wake-up,
 * found without a timeout.
 */
export async function allEnd(s: Scheduler, actors: readonly Promise<unknown>[]): Promise<void> {
  const waiting = new Set(actors.keys());
  const ends = actors.map((actor, index) => actor.finally(() => waiting.delete(index)));
  const results = Promise.allSettled(ends);
  do {
    await s.waitIdle();
    await settle();
  } while (s.count() > 0);
  assert.deepEqual([...waiting], [], "these actors wait without end");
  for (const result of await results) if (result.status === "rejected") throw result.reason;
}
