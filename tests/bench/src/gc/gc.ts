import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "@plumbline/tools-engines";
import { machineOf } from "../competitors/machine.ts";
import { type Measured, measure } from "../competitors/measure.ts";
import type { Program } from "../competitors/program.ts";
import { gateway, greeter, type Target } from "../competitors/targets.ts";
import { openWorkshop, root } from "../competitors/workshop.ts";
import { ControlGroup, whyNoControlGroups } from "../control-group.ts";
import { at, markdown, ms as milliseconds, spread } from "../markdown.ts";

export interface GcOptions {
  readonly rounds: number;
  readonly ms: number;
  readonly rate: number;
  readonly json: string | undefined;
}

/** Flags of Node; none means its defaults. */
const variants: readonly (readonly string[])[] = [
  [],
  ...[4, 8, 16, 32, 64].map((mib) => [`--max-semi-space-size=${mib}`]),
];

/**
 * Measures garbage collector pauses, CPU and memory of gateway and greeter with young generations
 * of several sizes, within the memory limits of docker-compose.yml.
 */
export async function gc({ rounds, ms, rate, json }: GcOptions): Promise<void> {
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
    for (const flags of variants) {
      const name = flags.join(" ") || "as Node comes";
      const plain = make(await freePort(), parts.upstream);
      const program = held(service, { ...plain, args: [...flags, ...plain.args] });
      targets.push({ name, group, mode: "full", programs: [program] });
    }
    const onFailure = ({ name }: Target, reason: string): void =>
      console.log(`LEFT OUT  ${service}, ${name}: it did not live within ${memoryOf(service)} MiB (${reason})\n`);
    const measured = await measure(targets, { generator, folder: parts.folder, rounds, ms, rate, onFailure });
    const head = [
      `${service} (http2, full), ${memoryOf(service)} MiB`,
      "CPU us per call",
      "pauses",
      "p50 / p99 / max, ms",
      "RSS MiB",
    ];
    console.log(`${markdown([head, ...measured.map(row)])}\n`);
    all.push(...measured);
  }
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ machine, measured: all }, undefined, 2)}\n`);
}

function row({ target, closed, pauses, residentMiB }: Measured): string[] {
  return [
    target.name,
    spread(closed.map(({ cpuMicros }) => cpuMicros)),
    `${pauses.length}`,
    [0.5, 0.99, 1].map((share) => milliseconds(at(pauses, share))).join(" / "),
    residentMiB.toFixed(0),
  ];
}

function memoryOf(service: string): number {
  const compose = readFileSync(join(root, "docker-compose.yml"), "utf8");
  const found = new RegExp(`^  ${service}:\\n(?:    .*\\n)*?    mem_limit: (\\d+)m$`, "m").exec(compose)?.[1];
  if (found === undefined) throw new Error(`docker-compose.yml gives ${service} no mem_limit in MiB`);
  return Number(found);
}
