import type { Census } from "./census.ts";
import type { Sample } from "./sample.ts";
import { slope } from "./slope.ts";

/** A sample of one process, and when it was taken. */
export interface Timed extends Sample {
  /** Since the load began. */
  readonly hours: number;
  /** Made so far. */
  readonly made: number;
}

export interface Bound {
  readonly what: "heap" | "external" | "rss" | "handles";
  /** Octets, or pieces, for each call made in the judged half. */
  readonly perCall: number;
  /** What it may grow by in any case, however short the half. */
  readonly floor: number;
}

const kib = 1_024;
const mib = kib * kib;

/**
 * What is called flat. The heap is judged by the call: less than an octet for each, so that one object kept of every hundred
 * calls is seen. The floors are what comes and goes without being a leak: of the heap, code that V8 compiles anew and drops;
 * outside of it, a few 64 KiB of sockets that are open at one sample and not at another; of the resident set, pages that
 * the allocators keep to use again (a leak of native memory comes to more than that within an hour).
 */
export const bounds: readonly Bound[] = [
  { what: "heap", perCall: 1, floor: kib * 256 },
  { what: "external", perCall: 1, floor: mib },
  { what: "rss", perCall: 1, floor: 16 * mib },
  { what: "handles", perCall: 0, floor: 8 },
];

export interface Verdict {
  readonly what: Bound["what"];
  /** When the judged half ended. */
  readonly last: number;
  readonly perHour: number;
  readonly perMillionCalls: number;
  /** By the slope, over the judged half. */
  readonly grown: number;
  readonly allowed: number;
  readonly isFlat: boolean;
}

/**
 * At rest no call is known to either side, and the connections are those of the channels that stay: two replicas for two of
 * them, one for the two others, and for each one that drains or is at its age.
 */
export function censusProblems(side: string, { calls, connections, subchannels }: Census): string[] {
  const most = 12;
  return [
    ...(calls > 0 ? [`the ${side} still holds ${calls} calls when none is under way`] : []),
    ...(connections > most ? [`the ${side} holds ${connections} connections at rest, above ${most}`] : []),
    ...(subchannels > most ? [`the ${side} holds ${subchannels} subchannels at rest, above ${most}`] : []),
  ];
}

/** Fewer samples than this in the judged half say nothing. */
export const leastJudged = 5;

/** Judges the second half of the samples: in the first, code is compiled, caches fill and pools grow to their size. */
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
