import { freePort } from "@plumbline/tools-engines";
import type { Measured, Sample } from "../competitors/measure.ts";
import { type ComparisonOptions, compareOverTransports } from "../competitors/over-transports.ts";
import { gateway, type Mode, type Target } from "../competitors/targets.ts";
import { markdown, whole } from "../markdown.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { atLeast, type Ratio, reported } from "../ratio.ts";

export interface TelemetryOptions extends ComparisonOptions {
  /** A folder for CPU profiles of all, written when they exit. */
  readonly profile: string | undefined;
}

const modes: readonly Mode[] = ["full", "full, 10 % of traces exported", "full, all traces exported"];

/**
 * Measures the gateway with 10 % of its traces exported, and with all, beside the same with none,
 * over each transport, in pairs of new processes. Prints the spans that were sent and lost, since a
 * lost one costs less. The ratios of all traces have no aim.
 */
export async function telemetry({ profile, ...options }: TelemetryOptions): Promise<void> {
  const flags = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const exported = new Map<string, number>();
  await compareOverTransports(
    {
      name: "telemetry",
      group: "gateway",
      targets: async (transport, parts) =>
        await Promise.all(
          modes.map(async (mode) => {
            const program = gateway(parts, mode, transport)(await freePort(), parts.upstream);
            const env = { ...program.env, GATEWAY_OPS_PORT: `${await freePort()}` };
            const programs = [{ ...program, env, args: [...flags, ...program.args] }];
            return { name: `gateway (${transport})`, group: "gateway" as const, mode, programs };
          }),
        ),
      ratios: ([off, ...on]) => (off === undefined ? [] : on.flatMap((one) => ratios(off, one))),
      onEnd: (target) => addExportedSpans(target, exported),
      anew: true,
    },
    options,
  );
  const rows = [...exported].map(([key, count]) => [...key.split(": "), whole(count)]);
  if (rows.length > 0) console.log(`\n${markdown([["spans", "outcome", "number"], ...rows])}`);
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

/** Adds the spans of a gateway to `exported`, by what became of them. */
async function addExportedSpans(
  { name, mode, programs: [program] }: Target,
  exported: Map<string, number>,
): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${program?.env["GATEWAY_OPS_PORT"]}/metrics`);
  const lines = (await response.text()).matchAll(/^telemetry_exported_spans_total\{outcome="(\w+)"\} (\d+)$/gm);
  for (const [, outcome = "", count] of lines) {
    const key = `${name}, ${mode}: ${outcome}`;
    exported.set(key, (exported.get(key) ?? 0) + Number(count));
  }
}
