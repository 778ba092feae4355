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
