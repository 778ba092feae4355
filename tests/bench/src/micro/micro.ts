import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { resolve } from "node:path";
import { installCompetitors } from "../competitors/install.ts";
import { concurrencyContests } from "./concurrency.ts";
import { contest, describeContests, type Outcome } from "./contest.ts";
import { flagCosts } from "./flags.ts";
import { gatewayContests } from "./gateway.ts";
import { loggerContest } from "./logger.ts";

const root = resolve(import.meta.dirname, "../../../..");

/**
 * Our libraries beside the npm packages a user would pick, in one process, in turns, and the cost
 * of a flag beside its limit.
 */
export async function micro(rounds: number, json: string | undefined): Promise<void> {
  await flagCosts(rounds);
  const competitors = installCompetitors(root);
  if (competitors === undefined) return;
  console.log(
    `\n${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}, n = ${rounds}\n`,
  );
  const outcomes: Outcome[] = [];
  for (const one of [
    ...concurrencyContests(competitors),
    ...gatewayContests(competitors),
    loggerContest(competitors),
  ]) {
    outcomes.push(await contest(one, rounds));
  }
  console.log(describeContests(outcomes));
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(outcomes, undefined, 2)}\n`);
}
