import { eachRound } from "../each-round.ts";
import { interrupted } from "../interruption.ts";
import { type Watched, watched } from "../pairs/surroundings.ts";
import { warmUp } from "../pairs/warm-up.ts";
import { type Delay, type GcReport, gcFile, reportOf } from "./gc-file.ts";
import { cpuPerCall, type Load, load } from "./load.ts";
import { Running } from "./program.ts";
import type { Target } from "./targets.ts";

/** One measurement of one target. */
export interface Sample extends Watched {
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
  /** Pauses of the called process in ms, in ascending order; empty if it is not Node. */
  readonly pauses: readonly number[];
  /** Those of the measurements at a fixed rate. */
  readonly pausesAtRate: readonly number[];
  /** The delays of its event loop at that rate, for each round. */
  readonly delaysAtRate: readonly Delay[];
  /** Measurements at shares of the peak, which is that of the same round. */
  readonly atShares: readonly AtShare[];
}

export interface AtShare {
  readonly share: number;
  readonly samples: readonly Sample[];
  readonly pauses: readonly number[];
  readonly delays: readonly Delay[];
}

export interface Plan {
  readonly generator: string;
  readonly folder: string;
  readonly rounds: number;
  /** The number of the one round to measure; all by default. */
  readonly only?: number;
  readonly ms: number;
  readonly rate: number;
  /** Shares of the calls of the closed loop, at which each is measured too; none by default. */
  readonly shares?: readonly number[];
  /**
   * Gets each target whose calls failed, which is then left out. Without this function the run
   * ends.
   */
  readonly onFailure?: (target: Target, why: string) => void;
  /** Runs after the last round, while the target still does. */
  readonly onEnd?: (target: Target) => Promise<void>;
}

/**
 * Starts all targets, warms each up, then measures one after another, round by round, so that other
 * work on the machine affects all alike. Each round begins with another target.
 */
export async function measure(targets: readonly Target[], plan: Plan): Promise<Measured[]> {
  await using stack = new AsyncDisposableStack();
  const all: {
    readonly target: Target;
    readonly running: Running[];
    readonly closed: Sample[];
    readonly atRate: Sample[];
    readonly pauses: number[];
    readonly pausesAtRate: number[];
    readonly delaysAtRate: Delay[];
    readonly atShares: { share: number; samples: Sample[]; pauses: number[]; delays: Delay[] }[];
  }[] = [];
  const attempt = async (target: Target, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (plan.onFailure === undefined || interrupted.aborted) throw error;
      plan.onFailure(target, error instanceof Error ? error.message : String(error));
      all.splice(
        all.findIndex((one) => one.target === target),
        1,
      );
    }
  };
  for (const target of targets) {
    const running: Running[] = [];
    for (const program of target.behind ?? []) stack.use(await Running.start(program, 1, plan.folder));
    for (const program of target.programs) running.push(stack.use(await Running.start(program, 0, plan.folder)));
    const atShares = (plan.shares ?? []).map((share) => ({ share, samples: [], pauses: [], delays: [] }));
    all.push({ target, running, closed: [], atRate: [], pauses: [], pausesAtRate: [], delaysAtRate: [], atShares });
    const slice = () => cpuPerCall({ cpuSeconds: () => cpuOf(running) }, () => call(target, plan, 1_000));
    await attempt(target, () => warmUp(`${target.name}, ${target.mode}`, slice));
  }
  const rounds = plan.only === undefined ? eachRound(plan.rounds, `${targets.length} targets`) : [plan.only];
  for (const round of rounds) {
    const turn = round % Math.max(1, all.length);
    for (const one of [...all.slice(turn), ...all.slice(0, turn)]) {
      await attempt(one.target, async () => {
        await call(one.target, plan, 200);
        const closed = await sample(one.target, one.running, plan, 0);
        one.closed.push(closed);
        if (plan.rate === 0) return;
        const seen = () => seenByCalled(one.target, one.running, plan.folder);
        one.pauses.push(...(await seen()).pauses);
        one.atRate.push(await sample(one.target, one.running, plan, plan.rate));
        const { pauses, delay } = await seen();
        one.pausesAtRate.push(...pauses);
        if (delay !== undefined) one.delaysAtRate.push(delay);
        for (const { share, ...at } of one.atShares) {
          at.samples.push(await sample(one.target, one.running, plan, Math.round(share * closed.perSecond)));
          const { pauses: further, delay: late } = await seen();
          at.pauses.push(...further);
          if (late !== undefined) at.delays.push(late);
        }
      });
    }
  }
  const measured: Measured[] = [];
  for (const { running, pauses, ...one } of all) {
    const { target, pausesAtRate, atShares } = one;
    const residentMiB = running.reduce((sum, process) => sum + process.residentMiB(), 0);
    pauses.push(...(await seenByCalled(target, running, plan.folder)).pauses);
    await plan.onEnd?.(target);
    for (const list of [pauses, pausesAtRate, ...atShares.map((at) => at.pauses)]) list.sort((a, b) => a - b);
    measured.push({ ...one, residentMiB, pauses });
  }
  return measured;
}

/**
 * Does the same with new processes for each round. Two processes of one program differ for their
 * whole lives, by what was compiled when, and a ratio of one to another tells of that too.
 */
export async function measureAnew(targets: readonly Target[], plan: Omit<Plan, "only">): Promise<Measured[]> {
  const all: Measured[][] = [];
  for (const round of eachRound(plan.rounds, `${targets.length} targets, new processes`)) {
    all.push(await measure(targets, { ...plan, only: round }));
  }
  return targets.map((target) => joined(all.flatMap((round) => round.filter((one) => one.target === target))));
}

/** Returns the measurements of one target as if they were of the same processes. */
function joined(measured: readonly Measured[]): Measured {
  const [first, ...others] = measured;
  if (first === undefined) throw new Error("no round was measured");
  return others.reduce<Measured>(
    (sum, one) => ({
      target: sum.target,
      closed: [...sum.closed, ...one.closed],
      atRate: [...sum.atRate, ...one.atRate],
      residentMiB: Math.max(sum.residentMiB, one.residentMiB),
      pauses: [...sum.pauses, ...one.pauses].sort((a, b) => a - b),
      pausesAtRate: [...sum.pausesAtRate, ...one.pausesAtRate].sort((a, b) => a - b),
      delaysAtRate: [...sum.delaysAtRate, ...one.delaysAtRate],
      atShares: [...sum.atShares, ...one.atShares],
    }),
    first,
  );
}

function cpuOf(running: readonly Running[]): number {
  return running.reduce((sum, process) => sum + process.cpuSeconds(), 0);
}

async function sample(target: Target, running: readonly Running[], plan: Plan, rate: number): Promise<Sample> {
  return await watched(async () => {
    const before = cpuOf(running);
    const seen = await call(target, plan, plan.ms, rate);
    const cpuMicros = ((cpuOf(running) - before) * 1e6) / seen.calls;
    return { perSecond: seen.calls / seen.seconds, cpuMicros, load: seen };
  });
}

async function call(target: Target, { generator }: Plan, ms: number, rate = 0): Promise<Load> {
  const { authorization } = (await target.authorization?.()) ?? {};
  return await load(generator, target.group === "rpc" ? "grpc" : "http", portOf(target), ms, rate, { authorization });
}

async function seenByCalled(target: Target, running: readonly Running[], folder: string): Promise<GcReport> {
  const called = running.at(-1);
  if (called === undefined || !target.programs.at(-1)?.args.includes("--import")) return { pauses: [] };
  return await reportOf(called, gcFile(folder, portOf(target)));
}

function portOf(target: Target): number {
  return target.programs.at(-1)?.port ?? 0;
}
