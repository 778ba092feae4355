/**
 * The statement_timeout for a deadline, in milliseconds; 0, which is none, without one. Rounded up to a second, two,
 * four, and so on: the statement is cancelled in time from here, so this only has to end it when we are gone, and with
 * exact values each request would cost a SET of its own.
 */
export function coarseTimeout(deadlineAt: number | undefined, now = Date.now()): number {
  if (deadlineAt === undefined) return 0;
  const leftMs = Math.min(deadlineAt - now, 2 ** 20 * 1000);
  let coarse = 1000;
  while (coarse < leftMs) coarse *= 2;
  return coarse;
}
