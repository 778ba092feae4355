/**
 * `npm test`: runs the tests of every project through Nx, then adds up what they counted.
 * The last line reads `N passed, N failed, N skipped`; what was skipped is listed above it with the reason.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { startTestEngines } from "@plumbline/tools-engines";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skips: readonly string[];
}

const countsFile = ".test-counts.json";
const projects = globSync("{apps,deploy,libs,tests,tools}/*/package.json")
  .filter((file) => "test" in (JSON.parse(readFileSync(file, "utf8")).scripts ?? {}))
  .map((file) => dirname(file))
  .sort();

// A project that dies before it has counted must not be taken for the run before.
for (const project of projects) rmSync(`${project}/${countsFile}`, { force: true });

const engines = await startTestEngines();
console.log(engines.lines.join("\n"));

// Not spawnSync: an engine's process is watched while the tests run.
const nx = spawn("nx", ["run-many", "-t", "test", "--outputStyle=static", ...process.argv.slice(2)], {
  stdio: "inherit",
  env: {
    ...process.env,
    ...engines.environment,
    // An input of the cache: what was skipped without a Kafka runs once there is one, and a pass on one engine is none on another.
    TEST_ENGINES_USED: engines.lines.join("; "),
    FORCE_COLOR: process.stdout.isTTY ? "1" : "0",
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
process.exitCode = failed > 0 || status !== 0 ? 1 : 0;
