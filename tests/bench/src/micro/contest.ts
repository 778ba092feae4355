import { median } from "../compare.ts";
import { eachRound } from "../each-round.ts";
import { markdown } from "../markdown.ts";

/** Ways to do one thing; the first is ours. Each does its work `times` times. */
export interface Contest {
  readonly name: string;
  readonly contenders: readonly Contender[];
}

export interface Contender {
  readonly name: string;
  readonly run: (times: number) => Promise<void> | void;
}

export interface Outcome {
  readonly name: string;
  readonly contenders: readonly { readonly name: string; readonly nanos: readonly number[] }[];
}

/**
 * The minimal length of a measurement in ms: long enough for a collection or two, short enough to
 * take turns.
 */
const leastMs = 60;

/**
 * Measures nanoseconds of CPU per turn of each, in turns A B A B, after each has run until it was
 * compiled.
 */
export async function contest({ name, contenders }: Contest, rounds: number): Promise<Outcome> {
  const times: number[] = [];
  for (const { run } of contenders) times.push(await timesFor(run));
  const nanos: number[][] = contenders.map(() => []);
  for (const _ of eachRound(rounds, "micro")) {
    for (const [index, { run }] of contenders.entries()) {
      const count = times[index] ?? 1;
      nanos[index]?.push(((await millis(run, count)) * 1e6) / count);
    }
  }
  return { name, contenders: contenders.map(({ name }, index) => ({ name, nanos: nanos[index] ?? [] })) };
}

async function timesFor(run: Contender["run"]): Promise<number> {
  for (let times = 1_000; ; times *= 2) {
    const ms = await millis(run, times);
    if (ms >= leastMs || times > 1e8) return times;
  }
}

/**
 * Returns the CPU time of this process, including collections and compiling. Unlike a clock it
 * stops while other processes have the core.
 */
async function millis(run: Contender["run"], times: number): Promise<number> {
  const before = process.cpuUsage();
  await run(times);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/**
 * Returns a row per contest and competitor: our ns, the competitor's, and the ratio of ours to
 * theirs, round by round.
 */
export function describeContests(outcomes: readonly Outcome[]): string {
  const rows = outcomes.flatMap(({ name, contenders: [ours, ...competitors] }) =>
    competitors.map((competitor) => {
      const ratios = competitor.nanos.map((nanos, round) => (ours?.nanos[round] ?? 0) / nanos);
      const spread = `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`;
      return [name, ns(ours?.nanos ?? []), competitor.name, ns(competitor.nanos), spread];
    }),
  );
  return markdown([["", "ours, CPU ns", "competitor", "its ns", "ours / competitor"], ...rows]);
}

function ns(values: readonly number[]): string {
  return Math.round(median(values)).toLocaleString("en");
}
