import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "@plumbline/tools-engines";
import { median } from "../compare.ts";
import type { Delay } from "../competitors/gc-file.ts";
import { machineOf } from "../competitors/machine.ts";
import { type Measured, measure } from "../competitors/measure.ts";
import type { Program } from "../competitors/program.ts";
import { latencies } from "../competitors/report.ts";
import { gateway, greeter, greeterGo, grpcGateway, type Target } from "../competitors/targets.ts";
import { openWorkshop, root } from "../competitors/workshop.ts";
import { ControlGroup, whyNoControlGroups } from "../control-group.ts";
import { at, markdown, ms as milliseconds, spread } from "../markdown.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { atMost, type Ratio, ratioTable } from "../ratio.ts";

export interface GcOptions {
  readonly rounds: number;
  readonly ms: number;
  readonly rate: number;
  /** Percent of its peak at which each is measured too. */
  readonly shares: readonly number[];
  readonly json: string | undefined;
}

/** The flag that all variants have, as the images do (deploy/docker/node.Dockerfile). */
const always = "--max-old-space-size-percentage=50";
const alone = "--no-parallel-scavenge";
const single = "--single-threaded-gc";
const young = (mib: number): string => `--max-semi-space-size=${mib}`;
const asIs = "as the image is";
/** The further flags of Node, by the name of their row. */
const variants: readonly (readonly [name: string, flags: readonly string[]])[] = [
  [asIs, [single, young(4)]],
  ["no further flags", []],
  ...[[young(4)], [alone], [alone, young(4)], [alone, young(8)], [single], [single, young(8)]].map(
    (flags) => [flags.join(" "), flags] as const,
  ),
];

/**
 * Measures garbage collector pauses, CPU and memory of gateway and greeter with young generations
 * of several sizes, within the memory limits of docker-compose.yml.
 */
export async function gc({ rounds, ms, rate, shares: percents, json }: GcOptions): Promise<void> {
  await using workshop = await openWorkshop("gc", { competitors: false });
  if (workshop === undefined) return;
  const { parts, generator } = workshop;
  const why = whyNoControlGroups();
  if (why !== undefined) console.log(`NOT LIMITED  memory is not held to what docker-compose.yml gives: ${why}`);
  using groups = new DisposableStack();
  const held = (service: string, program: Program): Program => {
    if (why !== undefined) return program;
    return groups.use(new ControlGroup({ memoryMiB: memoryOf(service) })).holding(program);
  };
  const machine = machineOf();
  console.log(`\n${machine}\n`);
  const all: Measured[] = [];
  for (const [service, group, make] of [
    ["gateway", "gateway", gateway(parts, "full", "http2")],
    ["greeter", "rpc", greeter(parts, "full", "http2")],
  ] as const) {
    const targets: Target[] = [];
    const { go } = parts;
    if (go !== undefined) {
      const program = (service === "gateway" ? grpcGateway : greeterGo)(go, "full")(await freePort(), parts.upstream);
      targets.push({
        name: service === "gateway" ? "grpc-gateway" : "greeter-go",
        group,
        mode: "full",
        programs: [program],
      });
    }
    for (const [name, flags] of variants) {
      const plain = make(await freePort(), parts.upstream);
      const program = held(service, { ...plain, args: [always, ...flags, ...plain.args] });
      targets.push({ name, group, mode: "full", programs: [program] });
    }
    const onFailure = ({ name }: Target, reason: string): void =>
      console.log(`LEFT OUT  ${service}, ${name}: it did not live within ${memoryOf(service)} MiB (${reason})\n`);
    const shares = percents.map((percent) => percent / 100);
    const plan = { generator, folder: parts.folder, rounds, ms, rate, shares, onFailure };
    const measured = await measure(targets, plan);
    const head = [
      `${service} (http2, full), ${memoryOf(service)} MiB`,
      "CPU us per call",
      "pauses p50 / p99 / max, ms",
      `CPU us per call at ${rate}/s`,
      `pauses p50 / p99 / max at ${rate}/s, ms`,
      `event loop's delays p50 / p99 / max at ${rate}/s, ms`,
      `calls p50 / p99 / p99.9 at ${rate}/s, ms`,
      "RSS MiB",
    ];
    console.log(`${markdown([head, ...measured.map(row)])}\n`);
    if (shares.length > 0) console.log(`${sharesTable(service, measured)}\n`);
    console.log(`${ratioTable(ratios(measured))}\n`);
    all.push(...measured);
  }
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ machine, measured: all }, undefined, 2)}\n`);
}

/** Returns each variant beside the image as it is, and at the fixed rate beside Go. */
function ratios(measured: readonly Measured[]): Ratio[] {
  const found: Ratio[] = [];
  const plain = measured.find(({ target }) => target.name === asIs);
  const [first] = measured;
  for (const one of measured) {
    const { name } = one.target;
    if (plain !== undefined && one !== plain && one !== first) {
      const closed = calmPairs(plain.closed, one.closed);
      const atRate = calmPairs(plain.atRate, one.atRate);
      found.push(atMost(1, `${name} / ${asIs}: CPU per call`, closed, ({ cpuMicros }) => cpuMicros));
      found.push(atMost(1, `${name} / ${asIs}: p99 at the rate`, atRate, ({ load }) => load.p99));
    }
    if (first === undefined || one === first) continue;
    const besideGo = calmPairs(first.atRate, one.atRate);
    found.push(atMost(1.2, `${name} / ${first.target.name}: p99 at the rate`, besideGo, ({ load }) => load.p99));
  }
  return found;
}

function row({ target, closed, atRate, pauses, pausesAtRate, delaysAtRate, residentMiB }: Measured): string[] {
  return [
    target.name,
    spread(closed.map(({ cpuMicros }) => cpuMicros)),
    pausesCell(pauses),
    spread(atRate.map(({ cpuMicros }) => cpuMicros)),
    pausesCell(pausesAtRate),
    delaysCell(delaysAtRate),
    latencies(atRate),
    residentMiB.toFixed(0),
  ];
}

/** The measurements at shares of each one's own peak. */
function sharesTable(service: string, measured: readonly Measured[]): string {
  const head = [
    `${service}, at a share of its own peak`,
    "share",
    "calls/s",
    "CPU us per call",
    "pauses p50 / p99 / max, ms",
    "event loop's delays p50 / p99 / max, ms",
    "calls p50 / p99 / p99.9, ms",
  ];
  const rows = measured.flatMap(({ target, atShares }) =>
    atShares.map(({ share, samples, pauses, delays }) => [
      target.name,
      `${Math.round(share * 100)} %`,
      spread(samples.map(({ perSecond }) => perSecond)),
      spread(samples.map(({ cpuMicros }) => cpuMicros)),
      pausesCell(pauses),
      delaysCell(delays),
      latencies(samples),
    ]),
  );
  return markdown([head, ...rows]);
}

function pausesCell(pauses: readonly number[]): string {
  return pauses.length === 0 ? "" : [0.5, 0.99, 1].map((share) => milliseconds(at(pauses, share))).join(" / ");
}

/** The medians of the rounds, and the most of all. */
function delaysCell(delays: readonly Delay[]): string {
  if (delays.length === 0) return "";
  const [p50, p99] = [median(delays.map((one) => one.p50)), median(delays.map((one) => one.p99))];
  return [p50, p99, Math.max(...delays.map(({ max }) => max))].map(milliseconds).join(" / ");
}

function memoryOf(service: string): number {
  const compose = readFileSync(join(root, "docker-compose.yml"), "utf8");
  const found = new RegExp(`^  ${service}:\\n(?:    .*\\n)*?    mem_limit: (\\d+)m$`, "m").exec(compose)?.[1];
  if (found === undefined) throw new Error(`docker-compose.yml gives ${service} no mem_limit in MiB`);
  return Number(found);
}
