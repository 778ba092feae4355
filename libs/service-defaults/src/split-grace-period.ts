/**
 * Splits the time between the drain and the end of the process over the parts that close one after
 * the other. Shares are fractions, at most 1 together. The rest is for parts that close at once.
 */
export function splitGracePeriod<Part extends string>(
  { drainMs, graceMs }: { readonly drainMs: number; readonly graceMs: number },
  shares: Readonly<Record<Part, number>>,
): Readonly<Record<Part, number>> {
  const parts = Object.entries<number>(shares);
  const total = parts.reduce((sum, [, share]) => sum + share, 0);
  if (total > 1) throw new RangeError(`the shares of a grace period are at most 1 together, not ${total}`);
  const ms = Math.max(0, graceMs - drainMs);
  return Object.fromEntries(parts.map(([part, share]) => [part, ms * share])) as Record<Part, number>;
}
