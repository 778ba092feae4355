import { paint } from "../command/index.ts";
import { table } from "../compose/table.ts";
import type { Print } from "./in-namespace.ts";

/** The verbs that measure, the shortest first. */
export const measuringVerbs = ["e2e", "faults", "drain", "operator", "upgrade", "autoscale", "rollouts"] as const;

/**
 * Runs each verb that measures, one after another, and prints how each ended. A verb that misses a
 * target does not keep the next ones from running. Returns 1 if one did.
 */
export async function runAll(run: (verb: string) => Promise<number>, print: Print): Promise<number> {
  const rows: string[][] = [];
  let isMissed = false;
  for (const verb of measuringVerbs) {
    const began = performance.now();
    const code = await run(verb);
    isMissed ||= code !== 0;
    const minutes = ((performance.now() - began) / 60_000).toFixed(1);
    rows.push([verb, `${minutes} min`, code === 0 ? paint("green", "ok") : `MISSED, exit code ${code}`]);
  }
  print(table(["verb", "took", ""], rows));
  return isMissed ? 1 : 0;
}
