/**
 * `npm run crash`: kills services at the worst moments. Options: --rounds N (24), --kafka; PLUMBLINE_TRANSPORT names what
 * carries the calls. Exit 1 if anything is lost or doubled.
 */
import { createWriteStream, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { givenTransport } from "@plumbline/tools-stack";
import { runCrash } from "./run-crash.ts";
import { table } from "./table.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "24" }, kafka: { type: "boolean", default: false } },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1_000) {
  console.error("--rounds takes a whole number from 1 to 1000");
  process.exit(1);
}
const root = resolve(import.meta.dirname, "../../../..");
mkdirSync(join(root, ".plumbline"), { recursive: true });
const log = createWriteStream(join(root, ".plumbline", "crash.log"));
const report = await runCrash({
  root,
  rounds,
  adapter: values.kafka ? "kafka" : "postgres",
  transport: givenTransport(),
  onLine: (name, line) => log.write(`${name} ${line}\n`),
  onRound: (round, point) => console.log(`round ${round + 1} of ${rounds}: killing ${point}`),
});
console.log(table(report));
if (!report.ok) console.log("  what the services wrote: .plumbline/crash.log");
process.exitCode = report.ok ? 0 : 1;
