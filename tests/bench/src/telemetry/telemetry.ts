import { writeFileSync } from "node:fs";
import { transportNames } from "@plumbline/rpc";
import { freePort } from "@plumbline/tools-engines";
import { machineOf } from "../competitors/machine.ts";
import { type Measured, measure } from "../competitors/measure.ts";
import { table } from "../competitors/report.ts";
import { gateway, type Mode, type Target } from "../competitors/targets.ts";
import { openWorkshop } from "../competitors/workshop.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { atLeast, type Ratio, ratioTable } from "../ratio.ts";

export interface TelemetryOptions {
  readonly rounds: number;
  readonly ms: number;
  readonly json: string | undefined;
  /** A folder for CPU profiles of both, written when they exit. */
  readonly profile: string | undefined;
}

const modes: readonly Mode[] = ["full", "full, 10 % of traces exported"];

/**
 * Measures the gateway with 10 % of its traces exported beside the same with none, over each
 * transport, in interleaved pairs.
 */
export async function telemetry({ rounds, ms, json, profile }: TelemetryOptions): Promise<void> {
  await using workshop = await openWorkshop("telemetry", { competitors: false });
  if (workshop === undefined) return;
  const { parts, generator } = workshop;
  const flags = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const machine = machineOf();
  console.log(`\n${machine}\n`);
  const [all, found]: [Measured[], Ratio[]] = [[], []];
  for (const transport of transportNames) {
    const targets: Target[] = [];
    for (const mode of modes) {
      const program = gateway(parts, mode, transport)(await freePort(), parts.upstream);
      const programs = [{ ...program, args: [...flags, ...program.args] }];
      targets.push({ name: `gateway (${transport})`, group: "gateway", mode, programs });
    }
    const measured = await measure(targets, { generator, folder: parts.folder, rounds, ms, rate: 0 });
    all.push(...measured);
    const [off, on] = measured;
    if (off !== undefined && on !== undefined) found.push(...ratios(off, on));
  }
  console.log(`${table("gateway", all, 0)}\n`);
  console.log(ratioTable(found));
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ machine, measured: all, ratios: found }, undefined, 2)}\n`);
}

function ratios(off: Measured, on: Measured): Ratio[] {
  const both = calmPairs(off.closed, on.closed);
  const { name } = on.target;
  return [
    atLeast(0.95, `${name}, traces 10 % / none: calls/s`, both, ({ perSecond }) => perSecond),
    atLeast(0.95, `${name}, traces none / 10 %: CPU per call`, both, ({ cpuMicros }) => 1 / cpuMicros),
  ];
}
