import { writeFileSync } from "node:fs";
import { type TransportName, transportNames } from "@plumbline/rpc";
import { type Ratio, ratioTable } from "../ratio.ts";
import { machineOf } from "./machine.ts";
import { type Measured, measure, measureAnew, type Plan } from "./measure.ts";
import { table } from "./report.ts";
import type { Group, Parts, Target } from "./targets.ts";
import { openWorkshop } from "./workshop.ts";

export interface ComparisonOptions {
  readonly rounds: number;
  readonly ms: number;
  readonly json: string | undefined;
}

/** Variants of one service that are measured beside each other, over each transport. */
export interface Comparison {
  /** The name of the command. */
  readonly name: string;
  readonly group: Group;
  readonly targets: (transport: TransportName, parts: Parts) => Promise<Target[]>;
  /** Returns the ratios of what was measured of `targets`, in their order. */
  readonly ratios: (measured: readonly Measured[], transport: TransportName) => Ratio[];
  readonly onEnd?: Plan["onEnd"];
  /** Starts new processes for each round; by default those of the first one stay. */
  readonly anew?: boolean;
}

/**
 * Measures in interleaved pairs, and prints the machine, the figures and the ratios. Does nothing
 * on a machine that the bench does not run on.
 */
export async function compareOverTransports(
  { name, group, targets, ratios, onEnd, anew = false }: Comparison,
  { rounds, ms, json }: ComparisonOptions,
): Promise<void> {
  await using workshop = await openWorkshop(name, { competitors: false });
  if (workshop === undefined) return;
  const { parts, generator } = workshop;
  const machine = machineOf();
  console.log(`\n${machine}\n`);
  const [all, found]: [Measured[], Ratio[]] = [[], []];
  for (const transport of transportNames) {
    const plan = { generator, folder: parts.folder, rounds, ms, rate: 0, ...(onEnd !== undefined && { onEnd }) };
    const measured = await (anew ? measureAnew : measure)(await targets(transport, parts), plan);
    all.push(...measured);
    found.push(...ratios(measured, transport));
  }
  console.log(`${table(group, all, 0)}\n`);
  console.log(ratioTable(found));
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ machine, measured: all, ratios: found }, undefined, 2)}\n`);
}
