/** The longest time that the removal of a server from its registry takes. */
export const withdrawMs = 2_000;

/** The settings that divide the time of a shutdown. */
export interface ShutdownSettings {
  readonly drainMs: number;
  readonly graceMs: number;
  readonly registration?: { readonly registry: string } | undefined;
}

/** Returns the longest time that the removal from the registry takes: 0 without a registry. */
export function withdrawalMs({ registry }: { readonly registry: string }): number {
  return registry === "none" ? 0 : withdrawMs;
}

/** Returns the time from the end of the drain to the end of the process. */
export function msAfterDrain({ drainMs, graceMs, registration }: ShutdownSettings): number {
  return Math.max(0, graceMs - drainMs - (registration === undefined ? 0 : withdrawalMs(registration)));
}

/**
 * Splits the time between the drain and the end of the process over the parts that close one after
 * the other. Shares are fractions, at most 1 together. The rest is for parts that close at once.
 */
export function splitGracePeriod<Part extends string>(
  settings: ShutdownSettings,
  shares: Readonly<Record<Part, number>>,
): Readonly<Record<Part, number>> {
  const parts = Object.entries<number>(shares);
  const total = parts.reduce((sum, [, share]) => sum + share, 0);
  if (total > 1) throw new RangeError(`the shares of a grace period are at most 1 together, not ${total}`);
  const ms = msAfterDrain(settings);
  return Object.fromEntries(parts.map(([part, share]) => [part, ms * share])) as Record<Part, number>;
}
