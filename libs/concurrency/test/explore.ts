import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { Scheduler } from "fast-check";

/**
 * JavaScript has no data races, but it has races: at each `await` others run. The tests explore them twice over. fast-check's
 * scheduler decides who goes on at each `pause`, as Go's race detector relies on the runtime to; and `ticks` shifts tasks
 * against each other by single microtasks, between a promise's resolving and its waiter's going on, where hand-overs get lost.
 */
export async function pause(s: Scheduler, label: string, microtasks = 0): Promise<void> {
  await s.schedule(Promise.resolve(), label);
  await ticks(microtasks);
}

/** Lets `count` rounds of microtasks pass. */
export async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

/** Lets every microtask there is run, and those that follow from them. */
export async function settle(): Promise<void> {
  await setImmediate();
}

/**
 * Runs `actors` to the end under the schedule of `s`. Nothing but the schedule moves them, so when it is used up and one
 * still waits, it waits for ever: a deadlock or a lost wake-up, found without a timeout.
 */
export async function allEnd(s: Scheduler, actors: readonly Promise<unknown>[]): Promise<void> {
  const waiting = new Set(actors.keys());
  const ends = actors.map((actor, index) => actor.finally(() => waiting.delete(index)));
  const results = Promise.allSettled(ends);
  do {
    await s.waitIdle();
    await settle();
  } while (s.count() > 0);
  assert.deepEqual([...waiting], [], "these actors wait for ever");
  for (const result of await results) if (result.status === "rejected") throw result.reason;
}
