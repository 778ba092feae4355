/**
 * Runs the tests of one project, the folder it is called in: every `*.test.ts` of `src` and `test`,
 * or the files named. Prints the specification as it goes and writes the counts to
 * `.test-counts.json`, where `npm test` adds them up.
 */
import { globSync, writeFileSync } from "node:fs";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const files = process.argv.length > 2 ? process.argv.slice(2) : globSync(["src/**/*.test.ts", "test/**/*.test.ts"]);
const counts = { passed: 0, failed: 0, skipped: 0, skips: [] as string[] };

const reporter = new spec();
// A child of a test gets no colour: its output may be compared. The reporter has read the variable.
delete process.env["FORCE_COLOR"];
const events = run({
  files: files.sort(),
  execArgv: ["-C", "source", "--enable-source-maps"],
  concurrency: 2,
  timeout: 600_000,
});
events.on("test:pass", (test) => {
  if (test.details.type === "suite") return;
  if (test.skip === undefined) counts.passed++;
  else {
    counts.skipped++;
    counts.skips.push(`${test.name}: ${test.skip === true ? "no reason given" : test.skip}`);
  }
});
events.on("test:fail", (test) => {
  if (test.details.type !== "suite") counts.failed++;
  process.exitCode = 1;
});
events.compose(reporter).pipe(process.stdout);
events.on("end", () => writeFileSync(".test-counts.json", `${JSON.stringify(counts)}\n`));
