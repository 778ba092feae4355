/**
 * Returns true if `error` is only the echo of an aborted `signal`: its reason, or an error caused
 * by it.
 */
export function isCancelledBy(signal: AbortSignal, error: unknown): boolean {
  if (!signal.aborted) return false;
  let next = error;
  for (let depth = 0; depth < 8; depth++) {
    if (next === signal.reason) return true;
    // A SuppressedError also holds a failure to close, so it is never only the cancellation.
    if (!(next instanceof Error) || next instanceof SuppressedError) return false;
    next = next.cause;
  }
  return false;
}
