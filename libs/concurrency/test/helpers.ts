import assert from "node:assert/strict";

/** How `promise` stands, all microtasks run: the waits of this library need no more than those. */
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

/** For numbers that repeat from run to run: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The reason `signal` was aborted with, or a failure of the test. */
export function reasonOf(signal: AbortSignal): unknown {
  assert.ok(signal.aborted);
  return signal.reason;
}
