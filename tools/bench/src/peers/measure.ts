import { existsSync, readFileSync } from "node:fs";
import { sleep } from "@plumbline/concurrency";
import { type Load, load } from "./load.ts";
import { Running } from "./program.ts";
import { gcFile, type Target } from "./targets.ts";

/** One measurement of one target. */
export interface Sample {
  readonly perSecond: number;
  /** User and system time of the measured processes for each call, in microseconds. */
  readonly cpuMicros: number;
  readonly load: Load;
}

export interface Measured {
  readonly target: Target;
  readonly closed: readonly Sample[];
  readonly atRate: readonly Sample[];
  readonly residentMiB: number;
  /** Pauses of the called process in ms, in ascending order; none of a process that is not Node. */
  readonly pauses: readonly number[];
}

export interface Plan {
  readonly generator: string;
  readonly folder: string;
  readonly rounds: number;
  readonly ms: number;
  readonly rate: number;
}

/**
 * Starts all targets, warms each up, then measures one after another, round by round: what the machine is busy with
 * else falls on all alike. Each round begins with another target.
 */
export async function measure(targets: readonly Target[], plan: Plan): Promise<Measured[]> {
  await using stack = new AsyncDisposableStack();
  const all: { target: Target; running: Running[]; closed: Sample[]; atRate: Sample[] }[] = [];
  for (const target of targets) {
    const running: Running[] = [];
    for (const program of target.programs) running.push(stack.use(await Running.start(program, 0, plan.folder)));
    all.push({ target, running, closed: [], atRate: [] });
    await warmUp(target, plan.generator);
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (let index = 0; index < all.length; index++) {
      const one = all[(index + round) % all.length];
      if (one === undefined) continue;
      await load(plan.generator, kindOf(one.target), portOf(one.target), 200);
      one.closed.push(await sample(one.target, one.running, plan, 0));
      if (plan.rate > 0) one.atRate.push(await sample(one.target, one.running, plan, plan.rate));
    }
  }
  const measured: Measured[] = [];
  for (const { target, running, closed, atRate } of all) {
    const residentMiB = running.reduce((sum, process) => sum + process.residentMiB(), 0);
    measured.push({ target, closed, atRate, residentMiB, pauses: await pausesOf(target, running, plan.folder) });
  }
  return measured;
}

const warmCalls = 25_000;

/** Until its code is compiled, which takes tens of thousands of calls, or 40 seconds: on a busy machine that is said. */
async function warmUp(target: Target, generator: string): Promise<void> {
  const giveUpAt = performance.now() + 40_000;
  let calls = 0;
  while (calls < warmCalls && performance.now() < giveUpAt) {
    calls += (await load(generator, kindOf(target), portOf(target), 1_000)).calls;
  }
  if (calls < warmCalls)
    console.log(`NOT WARM  ${target.name}, ${target.mode}: ${calls} calls of ${warmCalls} before it is measured`);
}

async function sample(target: Target, running: readonly Running[], plan: Plan, rate: number): Promise<Sample> {
  const cpu = (): number => running.reduce((sum, process) => sum + process.cpuSeconds(), 0);
  const before = cpu();
  const seen = await load(plan.generator, kindOf(target), portOf(target), plan.ms, rate);
  return { perSecond: seen.calls / seen.seconds, cpuMicros: ((cpu() - before) * 1e6) / seen.calls, load: seen };
}

async function pausesOf(target: Target, running: readonly Running[], folder: string): Promise<number[]> {
  if (!target.programs.at(-1)?.args.includes("--import")) return [];
  running.at(-1)?.signal("SIGUSR2");
  const file = gcFile(folder, portOf(target));
  for (let waited = 0; waited < 2_000; waited += 20) {
    await sleep(20);
    if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as number[]).sort((a, b) => a - b);
  }
  return [];
}

/** Milliseconds from start to the first accepted connection, of each program that is called, in turn. */
export async function startTimes(
  targets: readonly Target[],
  rounds: number,
  folder: string,
): Promise<Map<Target, number[]>> {
  const times = new Map<Target, number[]>(targets.map((target) => [target, []]));
  // The first start of each fills the compile cache, as an image's build does, and does not count.
  for (let round = -1; round < rounds; round++) {
    for (const [target, found] of times) {
      const program = target.programs.at(-1);
      if (program === undefined) continue;
      await using running = await Running.start(program, 0, folder);
      if (round >= 0) found.push(running.startMs);
      else await sleep(300);
    }
  }
  return times;
}

function kindOf(target: Target): "grpc" | "http" {
  return target.group === "rpc" ? "grpc" : "http";
}

function portOf(target: Target): number {
  return target.programs.at(-1)?.port ?? 0;
}
