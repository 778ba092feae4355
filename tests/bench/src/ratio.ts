import { markdown } from "./markdown.ts";

/** Ours beside another, with what was aimed at. */
export interface Ratio {
  readonly name: string;
  readonly value: number;
  readonly aim: string;
  readonly met: boolean;
}

export function atLeast(aim: number, name: string, value: number): Ratio {
  return { name, value, aim: `>= ${aim}`, met: value >= aim };
}

export function atMost(aim: number, name: string, value: number): Ratio {
  return { name, value, aim: `<= ${aim}`, met: value <= aim };
}

/** With the word "met" or "missed" for each. */
export function ratioTable(ratios: readonly Ratio[]): string {
  const rows = ratios.map(({ name, value, aim, met }) => [name, value.toFixed(2), aim, met ? "met" : "missed"]);
  return markdown([["ratio", "found", "aim", ""], ...rows]);
}
