import type { Census } from "./census.ts";
import type { Sample } from "./sample.ts";
import { slope } from "./slope.ts";

/** A sample of one process, with its time. */
export interface Timed extends Sample {
  /** The time since the load began. */
  readonly hours: number;
  /** The calls so far. */
  readonly made: number;
}

export interface Bound {
  readonly what: "heap" | "external" | "rss" | "handles";
  /** The growth, in bytes or handles, for each call of the judged half. */
  readonly perCall: number;
  /** The growth that is always allowed, however short the half. */
  readonly floor: number;
}

const kib = 1_024;
const mib = kib * kib;

/**
 * The limits for "flat". The heap is judged by the call: less than a byte for each, so that one
 * kept object in every hundred calls is noticed. The floors allow changes that are no leak:
 * - in the heap, code that V8 compiles again and drops
 * - outside of it, 64 KiB for each of a few sockets that are open at one sample and not at another
 * - in the resident set, pages that the allocators keep for reuse (a native leak is larger within
 *   an hour)
 */
export const bounds: readonly Bound[] = [
  { what: "heap", perCall: 1, floor: kib * 256 },
  { what: "external", perCall: 1, floor: mib },
  { what: "rss", perCall: 1, floor: 16 * mib },
  { what: "handles", perCall: 0, floor: 8 },
];

export interface Verdict {
  readonly what: Bound["what"];
  /** The end of the judged half. */
  readonly last: number;
  readonly perHour: number;
  readonly perMillionCalls: number;
  /** The growth over the judged half, by the slope. */
  readonly grown: number;
  readonly allowed: number;
  readonly isFlat: boolean;
}

/**
 * Returns the problems at rest. Neither side may know a call. The connections must be those of the
 * channels that stay: two replicas for two of them, one for the two others, and one more for each
 * that drains or is old.
 */
export function censusProblems(side: string, { calls, connections, subchannels }: Census): string[] {
  const most = 12;
  return [
    ...(calls > 0 ? [`the ${side} still holds ${calls} calls when none is under way`] : []),
    ...(connections > most ? [`the ${side} holds ${connections} connections at rest, above ${most}`] : []),
    ...(subchannels > most ? [`the ${side} holds ${subchannels} subchannels at rest, above ${most}`] : []),
  ];
}

/** The fewest samples in the judged half for a verdict. */
export const leastJudged = 5;

/**
 * Judges the second half of the samples. In the first, code is compiled, and caches and pools grow.
 */
export function judge(samples: readonly Timed[]): Verdict[] {
  const half = samples.slice(samples.length >> 1);
  const hours = half.map((sample) => sample.hours);
  const made = half.map((sample) => sample.made);
  const madeInHalf = (made.at(-1) ?? 0) - (made[0] ?? 0);
  return bounds.map(({ what, perCall, floor }) => {
    const values = half.map((sample) => sample[what]);
    const perMade = slope(made, values);
    const grown = perMade * madeInHalf;
    const allowed = Math.max(floor, perCall * madeInHalf);
    return {
      what,
      last: values.at(-1) ?? 0,
      perHour: slope(hours, values),
      perMillionCalls: perMade * 1e6,
      grown,
      allowed,
      isFlat: half.length >= leastJudged && grown <= allowed,
    };
  });
}
