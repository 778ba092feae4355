import { coreShare, type Side, type SoakReport, sides } from "./soak.ts";
import { leastJudged, type Timed, type Verdict } from "./verdict.ts";

const mib = 2 ** 20;
const columns: readonly (readonly [string, (sample: Timed) => string])[] = [
  ["heap", ({ heap }) => (heap / mib).toFixed(2)],
  ["external", ({ external }) => (external / mib).toFixed(2)],
  ["rss", ({ rss }) => (rss / mib).toFixed(1)],
  ["handles", ({ handles }) => `${handles}`],
];

export const sampleHead = [
  `${"".padEnd(22)}${sides.map((side) => `${side} (MiB, pieces)`.padEnd(columns.length * 10)).join("")}`,
  row(
    "minute",
    "calls made",
    sides.flatMap(() => columns.map(([name]) => name)),
  ),
].join("\n");

export function sampleRow(samples: Readonly<Record<Side, Timed>>): string {
  const { hours, made } = samples.client;
  const cells = sides.flatMap((side) => columns.map(([, of]) => of(samples[side])));
  return row((hours * 60).toFixed(1), `${made}`, cells);
}

function row(minute: string, made: string, cells: readonly string[]): string {
  return `${minute.padStart(8)}  ${made.padStart(10)}  ${cells.map((cell) => cell.padStart(9)).join(" ")}`;
}

/** Returns the outcomes of calls, the growth, and the verdict as text. */
export function summary(report: SoakReport): string {
  const kinds = Object.entries(report.counts).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const judged = Math.ceil(report.samples.client.length / 2);
  return [
    "outcomes",
    ...kinds.map(([kind, outcomes]) => {
      const ends = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
      return `  ${kind.padEnd(36)}${ends.join(", ")}`;
    }),
    ...report.problems.map((problem) => `  NOT EXPECTED  ${problem}`),
    ...report.surprises.map((surprise) => `\n${surprise}`),
    ...sides.flatMap((side) =>
      report.stalls[side].map(
        ({ minute, ms }) =>
          `the ${side} stood still for ${(ms / 1_000).toFixed(1)} s until minute ${minute.toFixed(2)}`,
      ),
    ),
    "",
    `growth over the last ${judged} of ${report.samples.client.length} samples (slope by Theil and Sen)`,
    `  ${["", "", "last", "per hour", "per million calls", "in these samples", "allowed", "flat"].map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("")}`,
    ...sides.flatMap((side) => report.verdicts[side].map((verdict) => `  ${verdictRow(side, verdict)}`)),
    "",
    ...sides.map((side) => `held at rest by the ${side}'s http2 transport: ${census(report, side)}`),
    ...sides.map((side) => `${side}: ${(100 * coreShare(report.samples[side])).toFixed(1)} % of a core`),
    ...(judged < leastJudged ? [`NOT JUDGED: fewer than ${leastJudged} samples`] : []),
    `${report.made} calls over ${report.transport} in ${(report.hours * 60).toFixed(1)} minutes, ${report.heldBack} held back, ${report.problems.length} unexpected; flat: ${report.isFlat ? "yes" : "no"}`,
  ].join("\n");
}

function census(report: SoakReport, side: Side): string {
  const entries = Object.entries(report.census[side]).map(([what, count]) => `${count} ${what}`);
  return entries.join(", ");
}

const widths = [8, 13, 13, 13, 19, 18, 13, 0];

function verdictRow(side: Side, { what, last, perHour, perMillionCalls, grown, allowed, isFlat }: Verdict): string {
  const octets = what === "heap" || what === "external" || what === "rss";
  const show = (value: number): string => (octets ? `${(value / mib).toFixed(2)} MiB` : value.toFixed(1));
  const cells = [side, what, ...[last, perHour, perMillionCalls, grown, allowed].map(show), isFlat ? "yes" : "NO"];
  return cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("");
}
