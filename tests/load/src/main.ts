/** `npm run load`: tests/load/load-test.js with k6, if it is there. What follows `--` goes to k6. */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

/** What test runners know as "skipped": it must not pass for a success. */
const skipped = 77;

const script = resolve(import.meta.dirname, "../load-test.js");
const { error, status, signal } = spawnSync("k6", ["run", ...process.argv.slice(2), script], { stdio: "inherit" });
if (error !== undefined) {
  const why = "code" in error && error.code === "ENOENT" ? "k6 is not on PATH" : error.message;
  console.error(`SKIPPED: no load was made, nothing was tested: ${why}. Install it: go install go.k6.io/k6@v1.8.1`);
  process.exitCode = skipped;
} else process.exitCode = status ?? (signal === null ? 1 : 130);
