import { median } from "../compare.ts";
import { at } from "../markdown.ts";
import type { Surroundings, Watched } from "./surroundings.ts";

/** The sign by which a measurement was thrown out. */
export type Sign = "steal" | "queue" | "spin";

/** Two sides, measured in pairs, without the pairs in which the machine was taken away. */
export interface CalmPairs<T> {
  readonly pairs: readonly (readonly [theirs: T, ours: T])[];
  /** The number of pairs that were thrown out, by the sign. */
  readonly thrown: Readonly<Partial<Record<Sign, number>>>;
}

const mostSteal = 0.02;
const [moreInQueue, timesInQueue] = [1, 1.5];
const mostSpin = 1.5;

/** The rule of `calmPairs` in one sentence, for reports. */
export const calmRule =
  "A pair is thrown out if, in one of its halves, the hypervisor took more than 2 % of the time (steal), half as many threads again as in that side's median, and at least one more, ran or waited (queue), or a spin loop took more than 1.5 times its lower quartile (spin).";

/**
 * Pairs the measurements of two sides, round by round, and throws out pairs by `calmRule`. Nothing
 * in the rule looks at the figures themselves, which would narrow any interval.
 */
export function calmPairs<T extends Watched>(theirs: readonly T[], ours: readonly T[]): CalmPairs<T> {
  const [ofTheirs, ofOurs] = [signs(theirs), signs(ours)];
  const pairs: [T, T][] = [];
  const thrown: Partial<Record<Sign, number>> = {};
  for (let round = 0; round < Math.min(theirs.length, ours.length); round++) {
    const sign = ofTheirs[round] ?? ofOurs[round];
    if (sign === undefined) pairs.push([theirs[round] as T, ours[round] as T]);
    else thrown[sign] = (thrown[sign] ?? 0) + 1;
  }
  return { pairs, thrown };
}

function signs(side: readonly Watched[]): (Sign | undefined)[] {
  if (side.length === 0) return [];
  const queue = median(side.map(({ around }) => around.queue));
  const spins = side.map(({ around }) => around.spinMs).sort((a, b) => a - b);
  return side.map(({ around }) => signOf(around, queue, at(spins, 0.25)));
}

function signOf({ steal, queue, spinMs }: Surroundings, usualQueue: number, usualSpinMs: number): Sign | undefined {
  if (steal > mostSteal) return "steal";
  if (queue > Math.max(usualQueue + moreInQueue, usualQueue * timesInQueue)) return "queue";
  return spinMs > usualSpinMs * mostSpin ? "spin" : undefined;
}
