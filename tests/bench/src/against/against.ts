import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { transportNames } from "@plumbline/rpc";
import { freePort } from "@plumbline/tools-engines";
import { allocatedBytes, type Counted, startCounted } from "../allocations/counted.ts";
import { median } from "../compare.ts";
import { buildOurs } from "../competitors/build.ts";
import { cpuPerCall, load } from "../competitors/load.ts";
import { machineOf } from "../competitors/machine.ts";
import { gateway, greeter } from "../competitors/targets.ts";
import { openWorkshop, root, type Workshop } from "../competitors/workshop.ts";
import { eachRound } from "../each-round.ts";
import { markdown, whole } from "../markdown.ts";
import { type CalmPairs, calmPairs, calmRule } from "../pairs/calm-pairs.ts";
import { type Watched, watched } from "../pairs/surroundings.ts";
import { warmUp } from "../pairs/warm-up.ts";
import { atMost, interval, type Ratio } from "../ratio.ts";
import { againstOrders } from "./against-orders.ts";
import { knownSettings, onlyKnown } from "./known-settings.ts";

export interface AgainstOptions {
  /** The other checkout, with its dependencies installed. */
  readonly checkout: string;
  /** The parts to measure: calls, orders. */
  readonly only: readonly string[];
  readonly rounds: number;
  readonly ms: number;
  /** Orders of one closed loop. */
  readonly orders: number;
  /** Measures only targets whose name has one of these. */
  readonly names: readonly string[];
  readonly json: string | undefined;
}

/** One measurement of one side, for each call. */
interface Sample extends Watched {
  readonly cpuMicros: number;
  readonly bytes: number;
}

const mostCpu = 1.05;
const mostBytes = 1.02;
/**
 * The number of times that both sides are started. The one that starts second costs some percent
 * more in all of its rounds, so the order changes each time.
 */
const starts = 4;

/**
 * Measures greeter, gateway and orders of this checkout beside those of another, in interleaved
 * pairs of short rounds over several starts. Prints CPU time and allocated bytes per call, and the
 * rate, cost and latency of orders. Sets exit code 1 if an interval lies beyond its aim.
 */
export async function against(options: AgainstOptions): Promise<void> {
  const { only, names, rounds, orders, json } = options;
  const other = resolve(options.checkout);
  for (const part of ["apps/greeter", "apps/gateway", "docs/settings.md", "node_modules"]) {
    if (!existsSync(join(other, part))) throw new Error(`${other} has no ${part}: name a checkout after npm ci there`);
  }
  const samples: Record<string, unknown> = {};
  if (only.includes("calls")) Object.assign(samples, await againstCalls(other, options));
  if (only.includes("orders")) {
    for (const checkout of [other, root]) buildOurs(checkout, ["orders", "worker"]);
    console.log(machineOf("processes on any core"));
    const found = await againstOrders(other, { rounds, orders, names });
    console.log(found.table);
    Object.assign(samples, found.samples);
    if (found.ratios.some((ratio) => ratio.verdict === "missed")) process.exitCode = 1;
  }
  if (json !== undefined) writeFileSync(json, JSON.stringify(samples, undefined, 2));
}

/** Returns the samples of greeter and gateway. */
async function againstCalls(
  other: string,
  { rounds, ms, names }: AgainstOptions,
): Promise<Readonly<Record<string, unknown>>> {
  await using workshop = await openWorkshop("bench against", { competitors: false });
  if (workshop === undefined) return {};
  buildOurs(other, ["gateway", "greeter"]);
  console.log(machineOf());

  const rows = [["target", "CPU us per call", "ratio (95 %)", "pairs", "", "bytes per call", "ratio (95 %)", ""]];
  const samples: Record<string, unknown> = {};
  for (const transport of transportNames) {
    for (const service of ["greeter", "gateway"] as const) {
      const name = `${service} (${transport})`;
      if (!names.some((part) => name.includes(part))) continue;
      const [before, after] = await measurePairs(workshop, { other, service, transport, rounds, ms });
      const calm = calmPairs(before, after);
      // Allocations do not depend on other work of the machine.
      const all: typeof calm = { pairs: before.map((one, at) => [one, after[at] as Sample]), thrown: {} };
      const cpu = atMost(mostCpu, "CPU", calm, ({ cpuMicros }) => cpuMicros);
      const bytes = atMost(mostBytes, "bytes", all, (sample) => sample.bytes);
      samples[name] = { before, after };
      const pairs = `${cpu.pairs} of ${cpu.measured}`;
      rows.push([
        name,
        medians(calm, ({ cpuMicros }) => cpuMicros),
        interval(cpu),
        pairs,
        verdict(cpu),
        medians(all, (sample) => sample.bytes),
        interval(bytes),
        verdict(bytes),
      ]);
      if (cpu.verdict === "missed" || bytes.verdict === "missed") process.exitCode = 1;
    }
  }
  console.log(`${markdown(rows)}\n\n${calmRule}`);
  return samples;
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
): Promise<readonly [Sample[], Sample[]]> {
  const { service, transport, rounds, ms } = plan;
  const kind = service === "greeter" ? "grpc" : "http";
  const [before, after]: [Sample[], Sample[]] = [[], []];
  const sides = [
    { checkout: plan.other, samples: before },
    { checkout: root, samples: after },
  ];

  const start = async (checkout: string): Promise<Counted> => {
    const port = await freePort();
    const of = { ...parts, root: checkout };
    const program =
      service === "greeter"
        ? greeter(of, "full", transport)(port)
        : gateway(of, "full", transport)(port, parts.upstream);
    const known = knownSettings(readFileSync(join(checkout, "docs/settings.md"), "utf8"));
    return await startCounted({ ...program, env: onlyKnown(program.env, known) }, 0, parts.folder);
  };
  const startBoth = async (stack: AsyncDisposableStack, order: typeof sides) => {
    const started = [];
    for (const { checkout, samples } of order) {
      const side = await start(checkout);
      stack.use(side.running);
      started.push({ ...side, samples });
    }
    for (const { running } of started) {
      const slice = () => load(generator, kind, running.port, 1_000);
      await warmUp(`${service} over ${transport}`, () => cpuPerCall(running, slice));
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
        const sample = await watched(async () => {
          const { calls } = await load(generator, kind, side.running.port, ms);
          return { calls, cpuMicros: ((side.running.cpuSeconds() - cpu) * 1e6) / calls };
        });
        samples.push({ ...sample, bytes: ((await allocatedBytes(side)) - bytes) / sample.calls });
      }
    }
  }
  return [before, after];
}

function medians({ pairs }: CalmPairs<Sample>, of: (sample: Sample) => number): string {
  const side = (index: 0 | 1) => (pairs.length === 0 ? "?" : whole(median(pairs.map((pair) => of(pair[index])))));
  return `${side(0)} -> ${side(1)}`;
}

function verdict({ aim, verdict: found }: Ratio): string {
  return `${aim} ${found}`;
}
