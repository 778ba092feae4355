import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { sleep } from "@plumbline/concurrency";
import { transportNames } from "@plumbline/rpc";
import { freePort } from "@plumbline/tools-engines";
import { median } from "../compare.ts";
import { buildOurs } from "../competitors/build.ts";
import { load } from "../competitors/load.ts";
import { machineOf } from "../competitors/machine.ts";
import { type Program, Running } from "../competitors/program.ts";
import { gateway, greeter } from "../competitors/targets.ts";
import { openWorkshop, root, type Workshop } from "../competitors/workshop.ts";
import { eachRound } from "../each-round.ts";
import { markdown, whole } from "../markdown.ts";
import { knownSettings, onlyKnown } from "./known-settings.ts";
import { type PairedRatio, pairedRatio } from "./paired-ratio.ts";

export interface AgainstOptions {
  /** The other checkout, with its dependencies installed. */
  readonly checkout: string;
  readonly rounds: number;
  readonly ms: number;
  /** Measures only targets whose name has one of these. */
  readonly names: readonly string[];
  readonly json: string | undefined;
}

/** The samples of one side, in the order of the rounds. */
interface Samples {
  readonly cpuMicros: number[];
  readonly bytes: number[];
}

/** A started service, and where it writes how much it has allocated. */
interface Started {
  readonly running: Running;
  readonly allocatedFile: string;
}

const mostCpu = 1.05;
const mostBytes = 1.02;
const warmCalls = 60_000;
/**
 * The number of times that both sides are started. The one that starts second costs some percent
 * more in all of its rounds, so the order changes each time.
 */
const starts = 4;

/**
 * Measures the greeter and the gateway of this checkout beside those of another, in interleaved
 * pairs of short rounds over several starts. Prints CPU time and allocated bytes per call. Sets
 * exit code 1 if an interval lies above its aim.
 */
export async function against({ checkout, rounds, ms, names, json }: AgainstOptions): Promise<void> {
  const other = resolve(checkout);
  for (const part of ["apps/greeter", "apps/gateway", "docs/settings.md", "node_modules"]) {
    if (!existsSync(join(other, part))) throw new Error(`${other} has no ${part}: name a checkout after npm ci there`);
  }
  await using workshop = await openWorkshop("bench against", { competitors: false });
  if (workshop === undefined) return;
  buildOurs(other, ["gateway", "greeter"]);
  console.log(machineOf());

  const rows = [["target", "CPU us per call", "ratio (95 %)", "", "bytes per call", "ratio (95 %)", ""]];
  const samples: Record<string, unknown> = {};
  for (const transport of transportNames) {
    for (const service of ["greeter", "gateway"] as const) {
      const name = `${service} (${transport})`;
      if (!names.some((part) => name.includes(part))) continue;
      const [before, after] = await measurePairs(workshop, { other, service, transport, rounds, ms });
      const cpu = pairedRatio(before.cpuMicros, after.cpuMicros);
      const bytes = pairedRatio(before.bytes, after.bytes);
      samples[name] = { before, after };
      rows.push([name, ...cells(before.cpuMicros, after.cpuMicros, cpu, mostCpu)]);
      rows.at(-1)?.push(...cells(before.bytes, after.bytes, bytes, mostBytes));
      if (cpu.low > mostCpu || bytes.low > mostBytes) process.exitCode = 1;
    }
  }
  console.log(markdown(rows));
  if (json !== undefined) writeFileSync(json, JSON.stringify(samples, undefined, 2));
}

async function measurePairs(
  { parts, generator }: Workshop,
  plan: {
    readonly other: string;
    readonly service: "greeter" | "gateway";
    readonly transport: (typeof transportNames)[number];
    readonly rounds: number;
    readonly ms: number;
  },
): Promise<readonly [Samples, Samples]> {
  const { service, transport, rounds, ms } = plan;
  const kind = service === "greeter" ? "grpc" : "http";
  const before: Samples = { cpuMicros: [], bytes: [] };
  const after: Samples = { cpuMicros: [], bytes: [] };
  const sides = [
    { checkout: plan.other, samples: before },
    { checkout: root, samples: after },
  ];

  const start = async (checkout: string): Promise<Started> => {
    const port = await freePort();
    const of = { ...parts, root: checkout };
    const program =
      service === "greeter"
        ? greeter(of, "full", transport)(port)
        : gateway(of, "full", transport)(port, parts.upstream);
    const known = knownSettings(readFileSync(join(checkout, "docs/settings.md"), "utf8"));
    const allocatedFile = join(parts.folder, `allocated-${port}`);
    const counting = counted({ ...program, env: onlyKnown(program.env, known) }, allocatedFile);
    return { running: await Running.start(counting, 0, parts.folder), allocatedFile };
  };
  const startBoth = async (stack: AsyncDisposableStack, order: typeof sides) => {
    const started = [];
    for (const { checkout, samples } of order) {
      const side = await start(checkout);
      stack.use(side.running);
      started.push({ ...side, samples });
    }
    for (const { running } of started) {
      for (let calls = 0; calls < warmCalls; ) calls += (await load(generator, kind, running.port, 1_000)).calls;
    }
    return started;
  };

  for (let at = 0; at < starts; at++) {
    await using stack = new AsyncDisposableStack();
    const started = await startBoth(stack, at % 2 === 0 ? sides : sides.toReversed());
    const name = `${service} over ${transport}, start ${at + 1} of ${starts}`;
    for (const round of eachRound(Math.ceil(rounds / starts), name)) {
      for (const { samples, ...side } of round % 2 === 0 ? started : started.toReversed()) {
        await load(generator, kind, side.running.port, 150);
        const bytes = await allocatedBytes(side);
        const cpu = side.running.cpuSeconds();
        const { calls } = await load(generator, kind, side.running.port, ms);
        samples.cpuMicros.push(((side.running.cpuSeconds() - cpu) * 1e6) / calls);
        samples.bytes.push(((await allocatedBytes(side)) - bytes) / calls);
      }
    }
  }
  return [before, after];
}

function counted(program: Program, file: string): Program {
  const preload = ["--import", join(import.meta.dirname, "allocated.ts")];
  return { ...program, args: [...preload, ...program.args], env: { ...program.env, ALLOCATED_FILE: file } };
}

/**
 * Returns the bytes that the process has allocated since its start; rejects if it does not say so
 * within 5 s.
 */
async function allocatedBytes({ running, allocatedFile }: Started): Promise<number> {
  rmSync(allocatedFile, { force: true });
  running.signal("SIGUSR2");
  for (let waited = 0; waited < 5_000; waited += 5) {
    await sleep(5);
    if (existsSync(allocatedFile)) return Number(readFileSync(allocatedFile, "utf8"));
  }
  throw new Error("the measured process does not report its allocations");
}

function cells(before: readonly number[], after: readonly number[], ratio: PairedRatio, most: number): string[] {
  const { mean, low, high } = ratio;
  const verdict = high <= most ? `<= ${most} met` : low > most ? `<= ${most} missed` : `<= ${most} unsure`;
  const interval = `${mean.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
  return [`${whole(median(before))} -> ${whole(median(after))}`, interval, verdict];
}
