import assert from "node:assert/strict";
import type { TestContext } from "node:test";

/**
 * Returns the state of `promise` after all microtasks have run: the waits of this library need no
 * more.
 */
export async function stateOf(promise: Promise<unknown>): Promise<"pending" | "resolved" | "rejected"> {
  const pending = new Promise((resolve) => {
    setImmediate(() => resolve(undefined));
  }).then(() => "pending" as const);
  return Promise.race([
    promise.then(
      () => "resolved" as const,
      () => "rejected" as const,
    ),
    pending,
  ]);
}

/** Returns a random generator whose numbers repeat from run to run: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns the abort reason of `signal`, or fails the test. */
export function reasonOf(signal: AbortSignal): unknown {
  assert.ok(signal.aborted);
  return signal.reason;
}

/** Stops the timers and both clocks until the test moves them. */
export function stopClock(
  t: TestContext,
  options: { readonly apis: ("setTimeout" | "Date")[]; readonly now?: number },
): void {
  t.mock.timers.enable(options);
  t.mock.method(performance, "now", () => Date.now() - performance.timeOrigin);
}
