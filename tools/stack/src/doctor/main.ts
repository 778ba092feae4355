/** `npm run doctor`: what is there, what is missing, what it is needed for, and what to do. */
import { resolve } from "node:path";
import { flag, paint, runCommand } from "../command/index.ts";
import { defaultPorts } from "../ports.ts";
import { dataFolder } from "../processes/programs.ts";
import { examine, type Finding, isHealthy } from "./examine.ts";
import { thisMachine } from "./machine.ts";

const root = resolve(import.meta.dirname, "../../../..");
const words = { ok: paint("green", "ok"), missing: paint("red", "MISSING"), optional: paint("yellow", "not here") };
const plain = { ok: "ok", missing: "MISSING", optional: "not here" };

await runCommand(
  {
    name: "npm run doctor",
    about: "Looks for what the commands need on this machine, with the functions that npm start runs before it starts.",
    options: { json: flag("one JSON document instead of lines") },
    notes: ["Exit codes: 0 npm start can run, 1 something that it needs is missing, 2 wrong command line."],
  },
  async ({ values }) => {
    const findings = await examine(thisMachine(root, dataFolder(root), defaultPorts));
    const ok = isHealthy(findings);
    if (values.json) console.log(JSON.stringify({ ok, checks: findings }, null, 2));
    else console.log(report(findings, ok));
    return ok ? 0 : 1;
  },
);

/** The fixes come last, those of what npm start needs last of all. */
function report(findings: readonly Finding[], ok: boolean): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.map(({ name, state, found }) => {
    const word = words[state] + " ".repeat(plain.optional.length - plain[state].length);
    return `${word}  ${name.padEnd(width)}  ${found.replaceAll("\n", `\n${" ".repeat(width + 12)}`)}`;
  });
  const advice = (of: Finding["state"]) =>
    findings
      .filter(({ state }) => state === of)
      .flatMap(({ name, state, neededFor, fix }) => [`${words[state]}  ${name}, for ${neededFor}`, `  do: ${fix}`]);
  const optional = advice("optional");
  const verdict = ok ? "npm start can run here." : "npm start cannot run here yet:";
  return [...lines, "", ...optional, ...(optional.length > 0 ? [""] : []), verdict, ...advice("missing")].join("\n");
}
