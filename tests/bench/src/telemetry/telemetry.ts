import { writeFileSync } from "node:fs";
import { transportNames } from "@plumbline/rpc";
import { freePort } from "@plumbline/tools-engines";
import { machineOf } from "../competitors/machine.ts";
import { type Measured, measure, type Sample } from "../competitors/measure.ts";
import { table } from "../competitors/report.ts";
import { gateway, type Mode, type Target } from "../competitors/targets.ts";
import { openWorkshop } from "../competitors/workshop.ts";
import { markdown, whole } from "../markdown.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { atLeast, type Ratio, ratioTable, reported } from "../ratio.ts";

export interface TelemetryOptions {
  readonly rounds: number;
  readonly ms: number;
  readonly json: string | undefined;
  /** A folder for CPU profiles of both, written when they exit. */
  readonly profile: string | undefined;
}

const modes: readonly Mode[] = ["full", "full, 10 % of traces exported", "full, all traces exported"];

/**
 * Measures the gateway with 10 % of its traces exported, and with all, beside the same with none,
 * over each transport, in interleaved pairs. Prints the spans that were sent and lost, since a lost
 * one costs less. The ratios of all traces have no aim.
 */
export async function telemetry({ rounds, ms, json, profile }: TelemetryOptions): Promise<void> {
  await using workshop = await openWorkshop("telemetry", { competitors: false });
  if (workshop === undefined) return;
  const { parts, generator } = workshop;
  const flags = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const machine = machineOf();
  console.log(`\n${machine}\n`);
  const [all, found, exported]: [Measured[], Ratio[], string[][]] = [[], [], []];
  for (const transport of transportNames) {
    const targets: Target[] = [];
    for (const mode of modes) {
      const program = gateway(parts, mode, transport)(await freePort(), parts.upstream);
      const env = { ...program.env, GATEWAY_OPS_PORT: `${await freePort()}` };
      const programs = [{ ...program, env, args: [...flags, ...program.args] }];
      targets.push({ name: `gateway (${transport})`, group: "gateway", mode, programs });
    }
    const onEnd = async (target: Target) => void exported.push(...(await exportedSpans(target)));
    const measured = await measure(targets, { generator, folder: parts.folder, rounds, ms, rate: 0, onEnd });
    all.push(...measured);
    const [off, ...on] = measured;
    if (off !== undefined) for (const one of on) found.push(...ratios(off, one));
  }
  console.log(`${table("gateway", all, 0)}\n`);
  console.log(`${ratioTable(found)}\n`);
  console.log(markdown([["spans", "outcome", "number"], ...exported]));
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ machine, measured: all, ratios: found }, undefined, 2)}\n`);
}

function ratios(off: Measured, on: Measured): Ratio[] {
  const both = calmPairs(off.closed, on.closed);
  const { name, mode } = on.target;
  const perSecond = (sample: Sample) => sample.perSecond;
  const perCpu = ({ cpuMicros }: Sample) => 1 / cpuMicros;
  if (mode === "full, all traces exported") {
    return [
      reported(`${name}, all traces / none: calls/s`, both, perSecond),
      reported(`${name}, traces none / all: CPU per call`, both, perCpu),
    ];
  }
  return [
    atLeast(0.95, `${name}, traces 10 % / none: calls/s`, both, perSecond),
    atLeast(0.95, `${name}, traces none / 10 %: CPU per call`, both, perCpu),
  ];
}

/** Returns rows with the spans of a gateway by what became of them. */
async function exportedSpans({ name, mode, programs: [program] }: Target): Promise<string[][]> {
  const response = await fetch(`http://127.0.0.1:${program?.env["GATEWAY_OPS_PORT"]}/metrics`);
  const lines = (await response.text()).matchAll(/^telemetry_exported_spans_total\{outcome="(\w+)"\} (\d+)$/gm);
  return [...lines].map(([, outcome = "", count]) => [`${name}, ${mode}`, outcome, whole(Number(count))]);
}
