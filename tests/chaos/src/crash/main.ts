/** `npm run crash`: services killed at the worst moments. */
import { createWriteStream, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { generateContracts, givenTransport, transports } from "@plumbline/tools-stack";
import { choice, flag, Progress, runCommand, whole } from "@plumbline/tools-stack/command";

const root = resolve(import.meta.dirname, "../../../..");

await runCommand(
  {
    name: "npm run crash",
    about:
      "Kills services at the moments at which an event could be lost or doubled, while orders go through, and counts them.",
    options: {
      rounds: whole("kills", { least: 1, most: 1_000, preset: 24 }),
      kafka: flag("carries the events on Apache Kafka; needs Java 17 and Maven"),
      transport: choice("carrier of the calls; PLUMBLINE_TRANSPORT where not given", transports),
    },
    notes: [
      "The stack is one of its own, on free ports. The services' output goes to .plumbline/crash.log.",
      "Exit codes: 0 nothing is lost or doubled, 1 something is, 2 wrong command line.",
    ],
  },
  async ({ values: { rounds, kafka, transport } }) => {
    using progress = new Progress(process.stdout, process.env, 0);
    progress.show("generating the contracts", { now: true });
    await generateContracts(root);
    const { runCrash } = await import("./run-crash.ts");
    const { table } = await import("./table.ts");
    mkdirSync(join(root, ".plumbline"), { recursive: true });
    const log = createWriteStream(join(root, ".plumbline", "crash.log"));
    progress.show("starting the stack", { now: true });
    const report = await runCrash({
      root,
      rounds,
      adapter: kafka ? "kafka" : "postgres",
      transport: transport ?? givenTransport(),
      onLine: (name, line) => log.write(`${name} ${line}\n`),
      onRound: (round, point) => progress.show(`round ${round + 1} of ${rounds}: killing ${point}`, { now: true }),
    });
    progress.line(table(report));
    if (!report.ok) console.log("  the services' output: .plumbline/crash.log");
    return report.ok ? 0 : 1;
  },
);
