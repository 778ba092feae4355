import { percentile } from "../demo/verdict.ts";
import type { LoadResult } from "./steady-load.ts";

const shownFailures = 5;
const shownLength = 200;

/** Returns a line of figures, and the most frequent failures. */
export function describeLoad({ sent, failed, failures, ms }: LoadResult, perSecond: number): string {
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => `${Math.round(percentile(ms, share))} ms`);
  const commonest = [...failures].toSorted(([, a], [, b]) => b - a).slice(0, shownFailures);
  return [
    `  ${sent} requests at ${perSecond} a second: ${failed} failed; answered in p50 ${p50}, p99 ${p99}, max ${max}`,
    ...commonest.map(([problem, count]) => `  ${count} times: ${problem.slice(0, shownLength)}`),
  ].join("\n");
}
