/**
 * Runs the fuzzer: `npm run fuzz -w libs/http2 -- --seconds 600`. Prints the number of sessions and
 * the heap. Stops at the first failure, with its seed and the smallest case that shows it.
 */

import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { attack, roles, sessions } from "../fuzz.ts";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } } });
const seconds = Number(values.seconds);
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const heap = (): number => {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

const end = Date.now() + seconds * 1_000;
let seed = Number(values.seed ?? Date.now() % 2 ** 31);
let sessionsTried = 0;
let first: number | undefined;
for (; Date.now() < end; seed++) {
  for (const role of roles) {
    const property = fc.asyncProperty(sessions(role), (chunks) => attack(role, chunks));
    const details = await fc.check(property, { seed, numRuns: 200 });
    sessionsTried += details.numRuns;
    if (!details.failed) continue;
    console.error(`a ${role} took this wrongly (--seed ${seed}):\n${await fc.asyncDefaultReportMessage(details)}`);
    process.exit(1);
  }
  first ??= heap();
}
const grown = heap() - (first ?? 0);
console.log(`${sessionsTried} sessions in ${seconds} s, none taken wrongly; the heap grew by ${grown.toFixed(1)} MiB`);
if (grown > 50) process.exitCode = 1;
