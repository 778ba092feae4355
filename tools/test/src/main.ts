/**
 * `npm test`: runs the tests of every project through Nx, then adds up what they counted. The last
 * line reads `N passed, N failed, N skipped`; each skip is listed above it with its reason.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { startTestEngines } from "@plumbline/tools-engines";
import { flag, hasColors, runCommand, text, UsageError, whole } from "@plumbline/tools-stack/command";

interface Package {
  readonly name: string;
  readonly scripts?: Readonly<Record<string, string>>;
}

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
    const selection = options.filter(([name]) => name === "projects" || name === "exclude").map(written);
    const folders = foldersOf(selection);
    if (folders.length === 0) throw new UsageError(`no project with tests fits ${selection.join(" ")}`);
    return runTests([...options.map(written), ...passed], folders);
  },
);

function written([name, value]: readonly [string, unknown]): string {
  return value === true ? `--${name}` : `--${name}=${String(value)}`;
}

/** Returns the folders of the projects with tests that Nx finds by `--projects` and `--exclude`. */
function foldersOf(selection: readonly string[]): readonly string[] {
  const found = selection.length > 0 && execFileSync("nx", ["show", "projects", "--json", ...selection]);
  const names = found && new Set(JSON.parse(String(found)) as string[]);
  return globSync("{apps,deploy,libs,tests,tools}/*/package.json")
    .filter((file) => {
      const { name, scripts } = JSON.parse(readFileSync(file, "utf8")) as Package;
      return scripts?.["test"] !== undefined && (!names || names.has(name));
    })
    .map((file) => dirname(file))
    .sort();
}

async function runTests(options: readonly string[], projects: readonly string[]): Promise<number> {
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
