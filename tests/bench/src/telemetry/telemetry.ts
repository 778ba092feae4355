import { writeFileSync } from "node:fs";
import { freePort } from "@plumbline/tools-engines";
import { median } from "../compare.ts";
import { machineOf } from "../competitors/machine.ts";
import { type Measured, measure } from "../competitors/measure.ts";
import { table } from "../competitors/report.ts";
import { gateway, type Mode, type Target } from "../competitors/targets.ts";
import { openWorkshop } from "../competitors/workshop.ts";
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
 * Measures the gateway with 10 % of its traces exported beside the same with none. Each round has
 * two consecutive measurements and a ratio.
 */
export async function telemetry({ rounds, ms, json, profile }: TelemetryOptions): Promise<void> {
  await using workshop = await openWorkshop("telemetry", { competitors: false });
  if (workshop === undefined) return;
  const { parts, generator } = workshop;
  const targets: Target[] = [];
  for (const mode of modes) {
    const program = gateway(parts, mode, "http2")(await freePort(), parts.upstream);
    const flags = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
    const programs = [{ ...program, args: [...flags, ...program.args] }];
    targets.push({ name: "gateway (http2)", group: "gateway", mode, programs });
  }
  const machine = machineOf();
  console.log(`\n${machine}\n`);
  const measured = await measure(targets, { generator, folder: parts.folder, rounds, ms, rate: 0 });
  console.log(`${table("gateway", measured, 0)}\n`);
  const [off, on] = measured;
  if (off === undefined || on === undefined) return;
  const found = ratios(off, on);
  console.log(ratioTable(found));
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ machine, measured, ratios: found }, undefined, 2)}\n`);
}

function ratios(off: Measured, on: Measured): Ratio[] {
  const rates = on.closed.map(({ perSecond }, round) => perSecond / (off.closed[round]?.perSecond ?? Number.NaN));
  const cpu = on.closed.map(({ cpuMicros }, round) => (off.closed[round]?.cpuMicros ?? Number.NaN) / cpuMicros);
  return [
    atLeast(0.9, "traces 10 % / none: calls/s", median(rates)),
    atLeast(0.9, "traces none / 10 %: CPU per call", median(cpu)),
  ];
}
