/** `npm run negatives`: runs the tests of what identity must refuse, and prints them as a table. */
import { relative, resolve } from "node:path";
import { run } from "node:test";
import { runCommand } from "@plumbline/tools-stack/command";
import { cases } from "./cases.ts";
import { filesWithNegatives, matrixTag, negativesOf } from "./find.ts";

interface Row {
  readonly number: number;
  readonly file: string;
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
}

const root = resolve(import.meta.dirname, "../../../..");

await runCommand(
  {
    name: "npm run negatives",
    about:
      "Runs the tests of the cases that identity must refuse, and prints each with its file, its name and its outcome. A test is found by the number of its case in its name: (negative 34). Then it prints what each RPC answers to each state of a token, over REST and gRPC and both transports.",
    options: {},
    notes: ["Exit codes: 0 all that were run passed, 1 one failed, 2 wrong command line."],
  },
  async () => {
    const { rows, failures, matrices } = await runTests(filesWithNegatives(root));
    for (const [key, what] of Object.entries(cases)) {
      const own = rows.filter(({ number }) => number === Number(key));
      console.log(`${key.padStart(2)}  ${what}`);
      if (own.length === 0) console.log("      NOT TESTED by a test with this number");
      for (const line of new Set(own.map(({ outcome, file, name }) => `      ${outcome}  ${file}: ${name}`))) {
        console.log(line);
      }
    }
    for (const [name, lines] of matrices) console.log(`\n${name}\n${lines.map((line) => `  ${line}`).join("\n")}`);
    if (matrices.size === 0) failures.push("FAILED  no test printed the matrix of access");
    const tested = new Set(rows.map(({ number }) => number));
    const failed = rows.filter(({ outcome }) => outcome === "failed").length;
    const counts = `${tested.size} of ${Object.keys(cases).length} cases have tests, ${matrices.size} matrices`;
    console.log(`\nnegatives: ${counts}; ${failed + failures.length} failed`);
    for (const failure of failures) console.error(failure);
    return failed + failures.length === 0 ? 0 : 1;
  },
);

async function runTests(files: readonly string[]) {
  const rows: Row[] = [];
  const failures: string[] = [];
  const matrices = new Map<string, string[]>();
  let matrix: string[] | undefined;
  const events = run({
    files: files.map((file) => resolve(root, file)),
    // One file at a time, so that tests with times hold on a small machine.
    concurrency: 1,
    testNamePatterns: [/\(negatives? \d/, /\(access matrix\)$/],
    execArgv: ["-C", "source"],
  });
  for await (const { type, data } of events) {
    // The lines that a test prints come after its outcome.
    if (type === "test:diagnostic" && data.file !== undefined) matrix?.push(data.message);
    if (type !== "test:pass" && type !== "test:fail") continue;
    matrix = undefined;
    if (type === "test:pass" && data.name.endsWith(matrixTag)) {
      matrix = [];
      matrices.set(data.name.slice(0, -matrixTag.length).trimEnd(), matrix);
    }
    const file = relative(root, data.file ?? "");
    const outcome = type === "test:fail" ? "failed" : data.skip === undefined ? "passed" : "skipped";
    const numbers = negativesOf(data.name);
    for (const number of numbers) rows.push({ number, file, name: data.name, outcome });
    // A file that fails outside its tests, too.
    if (outcome === "failed" && numbers.length === 0) failures.push(`FAILED  ${file}: ${data.name}`);
  }
  return { rows, failures, matrices };
}
