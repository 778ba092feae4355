import { eachRound } from "./each-round.ts";
/**
 * Two ways to do one thing, measured in turn in one run. A slow or busy machine slows both, so the
 * ratio is stable.
 */
export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly slow: { readonly name: string; readonly values: readonly number[] };
  readonly fast: { readonly name: string; readonly values: readonly number[] };
  /** The ratio of the medians that is claimed. */
  readonly least: number;
}

/** Runs each side `rounds` times, A B A B. `measure` returns the figure; higher is better. */
export async function compare(
  about: { readonly name: string; readonly unit: string; readonly least: number },
  slow: { readonly name: string; readonly measure: () => Promise<number> },
  fast: { readonly name: string; readonly measure: () => Promise<number> },
  rounds: number,
): Promise<Comparison> {
  const values: [number[], number[]] = [[], []];
  for (const _ of eachRound(rounds, about.name)) {
    values[0].push(await slow.measure());
    values[1].push(await fast.measure());
  }
  return { ...about, slow: { name: slow.name, values: values[0] }, fast: { name: fast.name, values: values[1] } };
}

export function ratio({ slow, fast }: Comparison): number {
  return median(fast.values) / median(slow.values);
}

/** Returns the comparison as text: medians with their spread, and the ratio beside the claim. */
export function describe(comparison: Comparison): string {
  const side = ({ name, values }: Comparison["slow"]) =>
    `  ${name.padEnd(26)}${figure(median(values))} ${comparison.unit} (${figure(Math.min(...values))} to ${figure(Math.max(...values))}, n = ${values.length})`;
  const found = ratio(comparison);
  const verdict = found >= comparison.least ? "" : "  MISSED";
  return `${comparison.name}\n${side(comparison.slow)}\n${side(comparison.fast)}\n  ratio ${found.toFixed(1)}, claimed ${comparison.least}${verdict}`;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

function figure(value: number): string {
  return value < 100 ? value.toFixed(1) : String(Math.round(value));
}
