import { codeOf, isServiceError } from "@plumbline/errors";
import type { Abortable } from "./abortable.ts";
import { deadlineOf } from "./deadline.ts";
import { sleep } from "./sleep.ts";
import { steadyNow } from "./steady-now.ts";

export interface Backoff {
  /** The longest wait after the first attempt. It doubles with each attempt. */
  readonly baseMs: number;
  /** The longest wait after any attempt. */
  readonly maxMs: number;
}

export interface RetryOptions extends Abortable, Backoff {
  /** The most attempts, including the first. */
  readonly attempts: number;
  /**
   * Returns true for errors worth a retry. Default: `unavailable`, and errors with `retryAfterMs`.
   */
  readonly retryable?: ((error: unknown) => boolean) | undefined;
  /** From 0 to below 1, as `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/**
 * Runs `task` until it succeeds, fails with an error that is not retryable, or has no attempts
 * left. Throws the last error. Waits between attempts with full jitter, and at least as long as the
 * server asked (`retryAfterMs`). A wait that would outlast the signal's deadline is not started,
 * since the known error is worth more than the timeout that would follow. Aborting ends the wait
 * with the signal's reason; the task itself must stop a running attempt.
 *
 * Use it for idempotent work only, and at one layer: retries of retries multiply.
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
      if (steadyNow() + waitMs >= (deadlineOf(signal) ?? Number.POSITIVE_INFINITY)) throw error;
      await sleep(waitMs, { signal });
    }
  }
}

/**
 * Returns the wait after failed attempt number `attempt`, from 1: from zero up to `baseMs` doubled
 * per attempt, at most `maxMs`. Spread over the whole range, callers that fail together do not
 * retry together (Brooker, "Exponential Backoff and Jitter", 2015).
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
