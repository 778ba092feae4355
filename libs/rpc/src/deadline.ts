import { deadlineOf } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";

/** When a call must have ended: the nearest of what its signal carries and `timeoutMs` from now. Infinity for never. */
export function deadlineFor(signal: AbortSignal | undefined, timeoutMs: number): number {
  if (Number.isNaN(timeoutMs)) throw new ServiceError("invalid_argument", "timeoutMs must be a number");
  return Math.min(Date.now() + timeoutMs, deadlineOf(signal) ?? Number.POSITIVE_INFINITY);
}
