import { type LoadResult, percentile } from "@plumbline/load";

/** The most that the other client's p99 may be, as a multiple of that beside polite clients. */
export const mostRatio = 2;

export interface Verdict {
  /** The p99 of the other client in milliseconds beside one client at its limit. */
  readonly p99: number;
  /** The same beside polite clients. */
  readonly politeP99: number;
  readonly ratio: number;
  readonly isMet: boolean;
}

/**
 * Compares the other client's requests: each must succeed, and their p99 be at most `mostRatio`
 * times that of the control.
 */
export function verdictOf(attack: LoadResult, control: LoadResult): Verdict {
  const [p99, politeP99] = [percentile(attack.ms, 0.99), percentile(control.ms, 0.99)];
  const ratio = p99 / politeP99;
  return { p99, politeP99, ratio, isMet: attack.sent > 0 && attack.failed === 0 && ratio <= mostRatio };
}

/** Returns the results of several loads as those of one. */
export function together(loads: readonly LoadResult[]): LoadResult {
  const failures = new Map<string, number>();
  for (const [what, count] of loads.flatMap((load) => [...load.failures])) {
    failures.set(what, (failures.get(what) ?? 0) + count);
  }
  const sum = (of: (load: LoadResult) => number) => loads.reduce((total, load) => total + of(load), 0);
  return {
    sent: sum(({ sent }) => sent),
    failed: sum(({ failed }) => failed),
    failures,
    ms: loads.flatMap(({ ms }) => ms),
  };
}
