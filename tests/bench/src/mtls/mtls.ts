import { writeFileSync } from "node:fs";
import { type TransportName, transportNames } from "@plumbline/rpc";
import { freePort } from "@plumbline/tools-engines";
import { machineOf } from "../competitors/machine.ts";
import { type Measured, measure } from "../competitors/measure.ts";
import type { Program } from "../competitors/program.ts";
import { table } from "../competitors/report.ts";
import { certificates } from "../competitors/shipped.ts";
import { gateway, greeter, type Target } from "../competitors/targets.ts";
import { openWorkshop, type Workshop } from "../competitors/workshop.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { atLeast, type Ratio, ratioTable } from "../ratio.ts";

export interface MtlsOptions {
  readonly rounds: number;
  readonly ms: number;
  readonly json: string | undefined;
}

type Environment = Readonly<Record<string, string>>;
type Settings = Readonly<Record<"greeter" | "gateway", Environment>>;

/**
 * Measures a gateway and the greeter behind it, with a certificate each and without, over each
 * transport, in interleaved pairs.
 */
export async function mtls({ rounds, ms, json }: MtlsOptions): Promise<void> {
  await using workshop = await openWorkshop("mtls", { competitors: false });
  if (workshop === undefined) return;
  const { parts, generator } = workshop;
  const certified = await certificates(parts.folder);
  const machine = machineOf();
  console.log(`\n${machine}\n`);
  const [all, found]: [Measured[], Ratio[]] = [[], []];
  for (const transport of transportNames) {
    const targets = [
      await chain(parts, transport, `in the clear (${transport})`, { greeter: {}, gateway: {} }),
      await chain(parts, transport, `with certificates (${transport})`, certified),
    ];
    const measured = await measure(targets, { generator, folder: parts.folder, rounds, ms, rate: 0 });
    all.push(...measured);
    const [plain, secured] = measured;
    if (plain === undefined || secured === undefined) continue;
    const both = calmPairs(plain.closed, secured.closed);
    const name = `gateway + greeter (${transport}), certificates / none`;
    found.push(
      atLeast(0.85, `${name}: calls/s`, both, ({ perSecond }) => perSecond),
      atLeast(0.85, `${name}: calls per CPU second`, both, ({ cpuMicros }) => 1 / cpuMicros),
    );
  }
  console.log(`${table("chain", all, 0)}\n`);
  console.log(ratioTable(found));
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ machine, measured: all, ratios: found }, undefined, 2)}\n`);
}

async function chain(
  parts: Workshop["parts"],
  transport: TransportName,
  name: string,
  settings: Settings,
): Promise<Target> {
  const [before, port] = [await freePort(), await freePort()];
  const set = (program: Program, more: Environment): Program => ({ ...program, env: { ...program.env, ...more } });
  const programs = [
    set(greeter(parts, "full", transport)(before), settings.greeter),
    set(gateway(parts, "full", transport)(port, before), settings.gateway),
  ];
  return { name, group: "chain", mode: "full", programs };
}
