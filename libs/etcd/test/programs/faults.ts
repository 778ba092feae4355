/**
 * Runs faults on a cluster of three: `npm run faults -w libs/etcd -- --rounds 50`. Prints the
 * longest time of each fault beside its limit. Exit code 1 if a limit or a registration is missed.
 */
import { parseArgs } from "node:util";
import { startEtcdCluster, whyNoEtcdServer } from "@plumbline/tools-engines";
import { faults, type Round, roundsOf } from "../cluster-faults.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "50" } } });
const why = whyNoEtcdServer();
if (why !== undefined) {
  console.error(why);
  process.exit(2);
}
await using cluster = await startEtcdCluster();
const order = Array.from({ length: Number(values.rounds) }, (_, n) => faults[n % faults.length] as (typeof faults)[0]);
const rounds: Round[] = [];
const from = performance.now();
for await (const round of roundsOf(cluster, order)) rounds.push(round);
console.log(
  `${rounds.length} rounds in ${((performance.now() - from) / 1_000).toFixed(0)} s on ${cluster.members[0]?.from}`,
);
for (const { name, limitMs } of faults) {
  const times = rounds.filter(({ fault }) => fault === name).map(({ tookMs }) => tookMs);
  if (times.length === 0) continue;
  const longest = Math.max(...times);
  console.log(`${name}: ${times.length} times, all seen after at most ${longest.toFixed(0)} ms; limit ${limitMs}`);
  if (longest > limitMs) process.exitCode = 1;
}
const lost = rounds.reduce((sum, round) => sum + round.lost, 0);
console.log(`registrations lost: ${lost}`);
if (lost > 0) process.exitCode = 1;
