import { steadyNow } from "@plumbline/concurrency";

/**
 * Returns the statement_timeout for a deadline in milliseconds, or 0 (none) without one. It is
 * rounded up to 1, 2, 4 ... seconds, since exact values would cost a SET per request. This process
 * cancels the statement in time, so the server's limit only matters if the process is gone.
 */
export function coarseTimeout(deadlineAt: number | undefined, now = steadyNow()): number {
  if (deadlineAt === undefined) return 0;
  const leftMs = Math.min(deadlineAt - now, 2 ** 20 * 1000);
  let coarse = 1000;
  while (coarse < leftMs) coarse *= 2;
  return coarse;
}
