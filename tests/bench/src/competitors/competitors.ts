import { writeFileSync } from "node:fs";
import { ratioTable } from "../ratio.ts";
import { machineOf } from "./machine.ts";
import { type Measured, measure } from "./measure.ts";
import { ratios } from "./ratios.ts";
import { table } from "./report.ts";
import { shipped } from "./shipped.ts";
import { startTable, startTimes } from "./starts.ts";
import { type Group, type Target, targets } from "./targets.ts";
import { openWorkshop } from "./workshop.ts";

export interface CompetitorsOptions {
  readonly rounds: number;
  readonly only: readonly string[];
  /** Parts of names: only targets with one of them are measured. */
  readonly names: readonly string[];
  readonly ms: number;
  readonly rate: number;
  readonly json: string | undefined;
}

/**
 * Measures our services and the alternatives in one run. Prints tables and ratios; `json` names a
 * file for all samples.
 */
export async function competitors({ rounds, only, names, ms, rate, json }: CompetitorsOptions): Promise<void> {
  await using workshop = await openWorkshop("competitors", { competitors: true });
  if (workshop === undefined) return;
  const { parts, generator } = workshop;
  const { folder } = parts;
  const every = [...(await targets(parts)), ...(await shipped(parts))];
  const all = every.filter(({ name }) => names.some((part) => name.includes(part)));

  const machine = machineOf();
  console.log(`\n${machine}\n`);
  const measured: Measured[] = [];
  for (const group of ["rpc", "gateway", "chain"] as const satisfies readonly Group[]) {
    if (!only.includes(group)) continue;
    const plan = { generator, folder, rounds, ms, rate };
    measured.push(
      ...(await measure(
        all.filter((target) => target.group === group),
        plan,
      )),
    );
    console.log(`${table(group, measured, rate)}\n`);
  }
  const found = ratios(measured);
  if (found.length > 0) console.log(`${ratioTable(found)}\n`);
  if (found.some(({ verdict }) => verdict === "reported")) console.log(`${aboutShipped}\n`);
  const starts = only.includes("start") ? await startTimes(started(all), rounds, folder) : [];
  if (starts.length > 0) console.log(`${startTable(starts)}\n`);
  if (json !== undefined) {
    writeFileSync(json, `${JSON.stringify({ machine, measured, ratios: found, starts }, replacer, 2)}\n`);
  }
}

const aboutShipped =
  '"As it ships" is what `npm start` and the chart set: certificates between gateway and greeter, and access tokens, with SayHello guarded like the methods of orders. Its ratios have no aim, because the other sides have neither.';

/** Chooses the mode of production: full if the target has it. */
function started(all: readonly Target[]): Target[] {
  const hasFull = new Set(all.filter(({ mode }) => mode === "full").map(({ name }) => name));
  return all.filter(({ group, mode, name }) => group !== "chain" && (mode === "full" || !hasFull.has(name)));
}

/** Returns a sample without the commands of the target's processes. */
function replacer(key: string, value: unknown): unknown {
  return key === "programs" || key === "program" ? undefined : value;
}
