import { markdown } from "./markdown.ts";
import { type CalmPairs, calmRule } from "./pairs/calm-pairs.ts";
import { type PairedRatio, pairedRatio } from "./pairs/paired-ratio.ts";

/** "reported" is a ratio without an aim. */
export type Verdict = "met" | "missed" | "unsure" | "reported";

/** Ours beside another, with what was aimed at. */
export interface Ratio extends PairedRatio {
  readonly name: string;
  /** The pairs that count, and those measured. */
  readonly pairs: number;
  readonly measured: number;
  readonly thrown: CalmPairs<unknown>["thrown"];
  readonly aim: string;
  readonly verdict: Verdict;
}

/** An interval over fewer pairs says too little. */
const leastPairs = 4;

/** Compares the figures that `of` returns: ours divided by theirs. */
export function atLeast<T>(aim: number, name: string, both: CalmPairs<T>, of: (sample: T) => number): Ratio {
  return ratioOf(`>= ${aim}`, name, both, of, ({ low, high }) =>
    low >= aim ? "met" : high < aim ? "missed" : "unsure",
  );
}

export function atMost<T>(aim: number, name: string, both: CalmPairs<T>, of: (sample: T) => number): Ratio {
  return ratioOf(`<= ${aim}`, name, both, of, ({ low, high }) =>
    high <= aim ? "met" : low > aim ? "missed" : "unsure",
  );
}

/** Compares figures that nothing was aimed at. */
export function reported<T>(name: string, both: CalmPairs<T>, of: (sample: T) => number): Ratio {
  return { ...ratioOf("none", name, both, of, () => "reported"), verdict: "reported" };
}

function ratioOf<T>(
  aim: string,
  name: string,
  { pairs, thrown }: CalmPairs<T>,
  of: (sample: T) => number,
  judge: (interval: PairedRatio) => Verdict,
): Ratio {
  const measured = pairs.length + Object.values(thrown).reduce((sum, count) => sum + count, 0);
  const about = { name, pairs: pairs.length, measured, thrown, aim };
  if (pairs.length === 0)
    return { ...about, mean: Number.NaN, low: 0, high: Number.POSITIVE_INFINITY, verdict: "unsure" };
  const interval = pairedRatio(
    pairs.map(([theirs]) => of(theirs)),
    pairs.map(([, ours]) => of(ours)),
  );
  const isEnough = pairs.length >= leastPairs && pairs.length * 2 >= measured;
  return { ...about, ...interval, verdict: isEnough ? judge(interval) : "unsure" };
}

/**
 * Returns the ratios with their 95 % intervals, and the word "met" or "missed", or "unsure" if the
 * interval crosses the aim, or too few pairs are left.
 */
export function ratioTable(ratios: readonly Ratio[]): string {
  const rows = ratios.map((ratio) => [
    ratio.name,
    ratio.pairs === 0 ? "nothing" : interval(ratio),
    pairsOf(ratio),
    ratio.aim,
    ratio.verdict,
  ]);
  const table = markdown([["ratio", "found (95 %)", "pairs", "aim", ""], ...rows]);
  return ratios.some(({ pairs, measured }) => pairs < measured) ? `${table}\n\n${calmRule}` : table;
}

export function interval({ mean, low, high }: PairedRatio): string {
  return `${digits(mean)} (${digits(low)} to ${digits(high)})`;
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(3) : value.toFixed(1);
}

function pairsOf({ pairs, measured, thrown }: Ratio): string {
  if (pairs === measured) return `${pairs}`;
  const signs = Object.entries(thrown).map(([sign, count]) => `${count} ${sign}`);
  return `${pairs} of ${measured} (out: ${signs.join(", ")})`;
}
