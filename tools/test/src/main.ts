/**
 * `npm test`: runs the tests of every project through Nx, then adds up what they counted. The last
 * line reads `N passed, N failed, N skipped`; each skip is listed above it with its reason.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { startTestEngines } from "@plumbline/tools-engines";
import { flag, hasColors, runCommand, text, whole } from "@plumbline/tools-stack/command";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skips: readonly string[];
}

const countsFile = ".test-counts.json";

await runCommand(
  {
    name: "npm test",
    about: "Runs the tests of every project, or of some, and counts them.",
    options: {
      projects: text("only these, with commas: @plumbline/orders,@plumbline/rpc", { takes: "LIST" }),
      exclude: text("all but these", { takes: "LIST" }),
      parallel: whole("projects at once; nx.json says how many by default", { least: 1, most: 64 }),
      "skip-nx-cache": flag("runs also what passed before and has not changed"),
    },
    passes: "OPTIONS OF NX RUN-MANY",
    notes: [
      "TEST_ENGINES=docker lets tests pull images of engines, TEST_ENGINES=local never asks Docker.",
      "Exit codes: 0 all passed, 1 one failed, 2 wrong command line.",
    ],
  },
  ({ values, passed }) => {
    const options = Object.entries(values).filter(([, value]) => value !== undefined && value !== false);
    return runTests([
      ...options.map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value}`)),
      ...passed,
    ]);
  },
);

async function runTests(options: readonly string[]): Promise<number> {
  const projects = globSync("{apps,deploy,libs,tests,tools}/*/package.json")
    .filter((file) => "test" in (JSON.parse(readFileSync(file, "utf8")).scripts ?? {}))
    .map((file) => dirname(file))
    .sort();

  // A project that dies before it has counted must not show the counts of the run before.
  for (const project of projects) rmSync(`${project}/${countsFile}`, { force: true });

  const engines = await startTestEngines();
  console.log(engines.lines.join("\n"));

  // Not spawnSync: an engine's process is watched while the tests run.
  const nx = spawn("nx", ["run-many", "-t", "test", "--outputStyle=static", ...options], {
    stdio: "inherit",
    env: {
      ...process.env,
      ...engines.environment,
      // An input of the cache: a test that was skipped without Kafka must run once there is one.
      TEST_ENGINES_USED: engines.lines.join("; "),
      FORCE_COLOR: hasColors(process.stdout) ? "1" : "0",
    },
  });
  const [status, signal] = (await once(nx, "close")) as [number | null, string | null];

  await engines[Symbol.asyncDispose]();

  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const lines: string[] = [];
  for (const project of projects) {
    if (!existsSync(`${project}/${countsFile}`)) {
      if (status === 0) continue; // Not asked for: `npm test -- --projects=…`.
      failed++;
      lines.push(`FAILED   ${project}: ended before its tests did`);
      continue;
    }
    const counts = JSON.parse(readFileSync(`${project}/${countsFile}`, "utf8")) as Counts;
    passed += counts.passed;
    failed += counts.failed;
    skipped += counts.skipped;
    if (counts.failed > 0) lines.push(`FAILED   ${project}: ${counts.failed}`);
    for (const skip of counts.skips) lines.push(`SKIPPED  ${project}: ${skip}`);
  }
  if (status !== 0 && failed === 0) {
    failed++;
    lines.push(`FAILED   nx ended with ${status ?? signal}`);
  }

  console.log(
    `\n${lines.join("\n")}${lines.length > 0 ? "\n" : ""}\n${passed} passed, ${failed} failed, ${skipped} skipped`,
  );
  return failed > 0 || status !== 0 ? 1 : 0;
}
