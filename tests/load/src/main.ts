/** `npm run load`: load-test.ts with k6, where k6 is installed. */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { runCommand, text, texts, whole } from "@plumbline/tools-stack/command";
import { authorizationFor } from "@plumbline/tools-stack/identity";

/** Test runners know this code as "skipped": it must not pass for a success. */
const skipped = 77;
const script = resolve(import.meta.dirname, "../load-test.ts");

await runCommand(
  {
    name: "npm run load",
    about:
      "Puts a running system under load with k6: users who greet, place, read and list orders. Its thresholds are the SLO.",
    options: {
      url: text("address of the gateway", { takes: "URL", preset: "http://127.0.0.1:8080" }),
      users: whole("users at once", { least: 1, most: 100_000, preset: 200 }),
      seconds: whole("length of the run", { least: 1, most: 86_400, preset: 30 }),
      env: texts("variable of the script: BASE_URL, VUS, DURATION, PAUSE_MS", "NAME=VALUE", "e"),
    },
    passes: "OPTIONS OF K6",
    notes: ["Exit codes: 0 every threshold held, 99 one was missed, 77 k6 is not installed, 2 wrong command line."],
  },
  async ({ values: { url, users, seconds, env }, passed }) => {
    const variables = [`BASE_URL=${url}`, `VUS=${users}`, `DURATION=${seconds}s`, ...env].flatMap((one) => ["-e", one]);
    // In the environment, since other users can read the command line. A system that cannot be
    // reached is named by the script.
    const callers = Array.from({ length: 60 }, (_, index) => authorizationFor(url, `operator-${index + 1}`));
    const fields = await Promise.all(callers).catch(() => []);
    const { error, status, signal } = spawnSync("k6", ["run", ...variables, ...passed, script], {
      stdio: "inherit",
      env: { ...process.env, CALLERS: JSON.stringify(fields) },
    });
    if (error === undefined) return status ?? (signal === null ? 1 : 130);
    const why = "code" in error && error.code === "ENOENT" ? "k6 is not on PATH" : error.message;
    console.error(`SKIPPED: no load was made, nothing was tested: ${why}. Install it: go install go.k6.io/k6@v1.8.1`);
    return skipped;
  },
);
