import { writeFileSync } from "node:fs";
import { median } from "../compare.ts";
import { machineOf } from "../competitors/machine.ts";
import { whyNoControlGroups } from "../control-group.ts";
import { markdown, spread } from "../markdown.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { atLeast, type Ratio, ratioTable } from "../ratio.ts";
import { gateways } from "./gateways.ts";
import { type ReplicasOptions, type Scaling, share } from "./scaling.ts";
import { workers } from "./workers.ts";

/**
 * Measures two replicas of a service beside one. Each gets the same share of a core, like a replica
 * in a cluster.
 */
export async function replicas(options: ReplicasOptions): Promise<void> {
  const why = whyNoControlGroups();
  if (why !== undefined) return console.log(`SKIPPED  replicas: ${why}`);
  const machine = machineOf(`each replica held to ${share} of a core`);
  console.log(`\n${machine}\n`);
  const all = [await gateways(options), await workers(options)].filter((scaling) => scaling !== undefined);
  const rows = all.flatMap(({ name, unit, one, two }) =>
    [one, two].map((samples, index) => [
      `${index + 1} x ${name}`,
      `${spread(samples.map(({ perSecond }) => perSecond))} ${unit}`,
      median(samples.map(({ cores }) => cores)).toFixed(2),
      median(samples.map(({ callerCores }) => callerCores)).toFixed(2),
    ]),
  );
  console.log(`${markdown([["", "completed", "cores they took", "cores of the caller"], ...rows])}\n`);
  const found = all.map(ratioOf);
  console.log(ratioTable(found));
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ machine, options, all, ratios: found }, undefined, 2)}\n`);
  }
}

function ratioOf({ name, one, two }: Scaling): Ratio {
  return atLeast(1.8, `2 x ${name} / 1`, calmPairs(one, two), ({ perSecond }) => perSecond);
}
