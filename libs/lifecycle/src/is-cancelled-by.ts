/** Whether `error` only says that `signal` aborted: it is the signal's reason, or was caused by it. */
export function isCancelledBy(signal: AbortSignal, error: unknown): boolean {
  if (!signal.aborted) return false;
  let next = error;
  for (let depth = 0; depth < 8; depth++) {
    if (next === signal.reason) return true;
    // A SuppressedError hides a second failure, that of closing, so it is never just the cancellation.
    if (!(next instanceof Error) || next instanceof SuppressedError) return false;
    next = next.cause;
  }
  return false;
}
