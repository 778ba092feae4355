import { deadlineOf, steadyNow } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";

/**
 * Returns the deadline of a call: the nearer of the signal's and `timeoutMs` from now. Infinity if
 * there is none.
 */
export function deadlineFor(signal: AbortSignal | undefined, timeoutMs: number): number {
  if (Number.isNaN(timeoutMs)) throw new ServiceError("invalid_argument", "timeoutMs must be a number");
  return Math.min(steadyNow() + timeoutMs, deadlineOf(signal) ?? Number.POSITIVE_INFINITY);
}

/** The lead that the other side's timer may have. */
export const earlyMs = 20;

/**
 * Returns true if a call that was cancelled now was ended by its deadline. Both sides give up then,
 * for the same cause: without the slack its code would depend on which side was a millisecond
 * faster.
 */
export function isAtDeadline(deadline: number): boolean {
  return steadyNow() >= deadline - earlyMs;
}
