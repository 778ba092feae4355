import { deadlineOf } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";

/** When a call must have ended: the nearest of what its signal carries and `timeoutMs` from now. Infinity for never. */
export function deadlineFor(signal: AbortSignal | undefined, timeoutMs: number): number {
  if (Number.isNaN(timeoutMs)) throw new ServiceError("invalid_argument", "timeoutMs must be a number");
  return Math.min(Date.now() + timeoutMs, deadlineOf(signal) ?? Number.POSITIVE_INFINITY);
}

/** What the other side's timer may be ahead of ours. */
const earlyMs = 20;

/**
 * Whether a call that was cancelled now was ended by its deadline. Both sides give up then, and it is the same event: without
 * the slack its code would depend on who was a millisecond faster.
 */
export function isAtDeadline(deadline: number): boolean {
  return Date.now() >= deadline - earlyMs;
}
