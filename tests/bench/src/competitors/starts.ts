import { sleep } from "@plumbline/concurrency";
import { eachRound } from "../each-round.ts";
import { markdown, spread } from "../markdown.ts";
import { type Program, Running } from "./program.ts";
import type { Target } from "./targets.ts";

/** One start, up to the first accepted connection. */
export interface Start {
  readonly ms: number;
  /** User and system time, in steps of 10 ms. */
  readonly cpuMs: number;
  readonly residentMiB: number;
}

export interface Started {
  readonly target: Target;
  /**
   * True if V8 had compiled the code in an earlier start, as in our images; undefined if it is not
   * Node.
   */
  readonly cached: boolean | undefined;
  readonly starts: readonly Start[];
}

/** Starts each called program in turn, with a compile cache and without. */
export async function startTimes(targets: readonly Target[], rounds: number, folder: string): Promise<Started[]> {
  const all: { target: Target; program: Program; cached: boolean | undefined; starts: Start[] }[] = [];
  for (const target of targets) {
    const program = target.programs.at(-1);
    if (program === undefined) continue;
    const { NODE_COMPILE_CACHE: cache, ...env } = program.env;
    all.push({ target, program, cached: cache === undefined ? undefined : true, starts: [] });
    if (cache === undefined) continue;
    const without = { ...program, env: { ...env, NODE_DISABLE_COMPILE_CACHE: "1" } };
    all.push({ target, program: without, cached: false, starts: [] });
  }
  // The first start of each fills the cache, like the build of an image, and does not count.
  for (const round of eachRound(rounds, "starts", -1)) {
    for (const { program, starts } of all) {
      await using running = await Running.start(program, 0, folder);
      const { startMs: ms } = running;
      const start = { ms, cpuMs: running.cpuSeconds() * 1_000, residentMiB: running.residentMiB() };
      if (round >= 0) starts.push(start);
      else await sleep(300);
    }
  }
  return all;
}

export function startTable(all: readonly Started[]): string {
  const rows = all.map(({ target, cached, starts }) => [
    target.name,
    cached === undefined ? "" : cached ? "yes" : "no",
    spread(starts.map(({ ms }) => ms)),
    spread(starts.map(({ cpuMs }) => cpuMs)),
    spread(starts.map(({ residentMiB }) => residentMiB)),
  ]);
  return markdown([["start to first connection", "compile cache", "ms", "CPU ms", "RSS MiB"], ...rows]);
}
