import { codeOf, isServiceError } from "@plumbline/errors";
import type { Abortable } from "./abortable.ts";
import { deadlineOf } from "./deadline.ts";
import { sleep } from "./sleep.ts";

export interface Backoff {
  /** The longest wait after the first attempt; it doubles with each. */
  readonly baseMs: number;
  /** The longest wait of all. */
  readonly maxMs: number;
}

export interface RetryOptions extends Abortable, Backoff {
  /** How often to try in all, the first included. */
  readonly attempts: number;
  /** Which errors are worth another attempt. Without it: `unavailable`, and those that say when to come back. */
  readonly retryable?: ((error: unknown) => boolean) | undefined;
  /** From 0 to below 1, as `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/**
 * Runs `task` until it succeeds, an error is not retryable, or the attempts are used up, and throws the last error. Waits
 * between attempts with full jitter, and at least as long as a server asked (`retryAfterMs`). A wait that would
 * outlast the signal's deadline is not begun: the error that is known is worth more than the timeout that would follow.
 * Aborting ends the wait with the signal's reason; an attempt that runs is the task's own to stop.
 *
 * Only for work that is the same done twice, and at one layer: retries of retries multiply.
 */
export async function retry<T>(task: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { attempts, signal, retryable = worthRetrying } = options;
  if (!Number.isSafeInteger(attempts) || attempts < 1) throw new RangeError("retry needs at least one attempt");
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await task(attempt);
    } catch (error) {
      if (attempt === attempts || !retryable(error)) throw error;
      signal?.throwIfAborted();
      const waitMs = Math.max(fullJitter(attempt, options, options.random), askedToWaitMs(error));
      if (Date.now() + waitMs >= (deadlineOf(signal) ?? Number.POSITIVE_INFINITY)) throw error;
      await sleep(waitMs, { signal });
    }
  }
}

/**
 * How long to wait after failed attempt number `attempt` (from 1): anything from nothing up to `baseMs`, doubled per attempt,
 * at most `maxMs`. Spread over the whole range, callers that failed together do not come back together (Brooker,
 * "Exponential Backoff and Jitter", 2015).
 */
export function fullJitter(attempt: number, backoff: Backoff, random: () => number = Math.random): number {
  // 2 ** 1024 is Infinity, and Infinity * 0 is not a number.
  const longest = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(attempt - 1, 52));
  return random() * longest;
}

function worthRetrying(error: unknown): boolean {
  return codeOf(error) === "unavailable" || askedToWaitMs(error) > 0;
}

function askedToWaitMs(error: unknown): number {
  return isServiceError(error) ? (error.retryAfterMs ?? 0) : 0;
}
