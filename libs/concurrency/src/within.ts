import type { Abortable } from "./abortable.ts";
import { onAbort } from "./on-abort.ts";
import { after } from "./timer.ts";

export interface WithinOptions extends Abortable {
  /** The longest wait in milliseconds. No limit by default. */
  readonly ms?: number | undefined;
  /** The subject of the error's message, such as "the Redis command". */
  readonly what?: string | undefined;
}

/**
 * Settles as `promise` does. Rejects with a `TimeoutError` if that takes longer than `ms`, or with
 * the signal's reason. Only the wait ends: the work goes on unless it has the signal too, and its
 * late result or failure is dropped.
 *
 * The time is up only after the process has read the input that has already arrived. If this
 * process was busy when the timer should have fired, an answer that waits in the socket still
 * counts.
 */
export async function within<T>(promise: Promise<T>, options: WithinOptions = {}): Promise<T> {
  const { ms = Number.POSITIVE_INFINITY, signal, what = "the operation" } = options;
  const { promise: outcome, resolve, reject } = Promise.withResolvers<T>();
  // First, so that a failure of `promise` is handled however this wait ends.
  promise.then(resolve, reject);
  const expire = (): void => reject(new DOMException(`${what} did not finish within ${ms} ms`, "TimeoutError"));
  using _timer = after(ms, () => setImmediate(expire));
  using _link = onAbort(signal, () => reject(signal?.reason));
  return await outcome;
}
