import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Claim, judge, type Outcome } from "./claim.ts";
import { blocksOf, infoProblem } from "./markdown-blocks.ts";
import { namesNotFound, readWorkspace } from "./names.ts";
import { type Results, readResults, renderPage, withOutcome } from "./page.ts";
import { runBlock, shimmedEnvironment } from "./run-block.ts";
import { runCommand } from "./run-command.ts";
import { startStack } from "./start-stack.ts";

export interface ProveOptions {
  readonly root: string;
  /** All claims: the page lists them. */
  readonly claims: readonly Claim[];
  /** The claims to run. */
  readonly chosen: readonly Claim[];
  /** Also checks the names on all pages and runs their marked blocks. */
  readonly pages: boolean;
  /** Writes docs/claims.md. Otherwise the page is compared with the list. */
  readonly write: boolean;
  readonly log: (line: string) => void;
}

type Report = (verdict: Outcome["verdict"], subject: string, startedAt: number, detail?: string) => void;

const page = "docs/claims.md";
const commandMs = { fast: 120_000, tests: 1_800_000, slow: 7_200_000 };
const probes = { docker: "docker info", go: "go version", java: "java -version", k6: "k6 version" };

/** Proves the pages and the chosen claims, and returns the number of failures. */
export async function proveRepository({ root, claims, chosen, pages, write, log }: ProveOptions): Promise<number> {
  let failures = 0;
  const report: Report = (verdict, subject, startedAt, detail = "") => {
    if (verdict === "failed") failures++;
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6);
    log(`${verdict.padEnd(10)} ${seconds} s  ${subject}${detail === "" ? "" : `: ${detail}`}`);
  };
  const blocks = pages ? checkPages(root, report) : [];

  const written = existsSync(join(root, page)) ? readFileSync(join(root, page), "utf8") : "";
  let results: Results = readResults(written);
  const record = (claim: Claim, outcome: Outcome, startedAt: number) => {
    results = withOutcome(results, claim, outcome, new Date().toISOString().slice(0, 10));
    report(outcome.verdict, claim.command, startedAt, outcome.reason ?? outcome.figure);
  };
  const run = async (claim: Claim, environment?: NodeJS.ProcessEnv) => {
    const startedAt = performance.now();
    record(claim, await prove(claim, root, environment, log), startedAt);
  };

  const onStack = chosen.filter(({ stack }) => stack);
  if (blocks.length > 0 || onStack.length > 0) {
    const startedAt = performance.now();
    const before = changes(root);
    const scratch = mkdtempSync(join(tmpdir(), "plumbline-claims-"));
    try {
      await using stack = await startStack(root);
      // The stack that carries the blocks and the claims is itself a claim.
      const start = onStack.find(({ command }) => command === "npm start");
      if (start) record(start, judge(start, { code: 0, output: stack.output }), startedAt);
      const environment = shimmedEnvironment(scratch, stack);
      for (const { path, block } of blocks) {
        const startedAt = performance.now();
        const problem = await runBlock(block, root, environment);
        report(problem === undefined ? "proven" : "failed", `${path}:${block.line}`, startedAt, problem);
      }
      for (const claim of onStack) if (claim !== start) await run(claim, environment);
    } catch (error) {
      report("failed", "the stack", startedAt, (error as Error).message);
      for (const claim of onStack) results = withOutcome(results, claim, { verdict: "failed" }, "");
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
    if (changes(root) !== before) report("failed", "a block or claim changed files of the repository", startedAt);
  }
  for (const claim of chosen.filter(({ stack }) => !stack)) await run(claim);

  if (write) writeFileSync(join(root, page), renderPage(claims, results));
  else if (written !== renderPage(claims, readResults(written))) {
    report("failed", page, performance.now(), "differs from the list of claims: run npm run claims -- --write");
  }
  return failures;
}

// Returns the blocks to run.
function checkPages(root: string, report: Report) {
  const startedAt = performance.now();
  const workspace = readWorkspace(root);
  const paths = git(root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
    .split("\n")
    // A page of a template names the projects of the repository that is made from it.
    .filter((path) => path !== "" && !path.includes("/template/") && existsSync(join(root, path)));
  const texts = paths.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
  const blocks = texts.flatMap(({ path, text }) => blocksOf(text).map((block) => ({ path, block })));
  const problems = [
    ...texts.flatMap(({ path, text }) => namesNotFound(path, text, workspace).map((problem) => `${path}: ${problem}`)),
    ...blocks.flatMap(({ path, block }) => {
      const problem = infoProblem(block);
      return problem === undefined ? [] : [`${path}:${block.line}: ${problem}`];
    }),
  ];
  for (const problem of problems) report("failed", problem, startedAt);
  if (problems.length === 0) report("proven", `every name in ${paths.length} pages exists`, startedAt);
  return blocks.filter(({ block }) => block.info === "sh run");
}

async function prove(
  claim: Claim,
  root: string,
  environment: NodeJS.ProcessEnv | undefined,
  log: (line: string) => void,
): Promise<Outcome> {
  if (claim.needs !== undefined && (await runCommand(probes[claim.needs], { root, ms: 20_000 })).code !== 0) {
    return { verdict: "not proven", reason: `it needs ${claim.needs}` };
  }
  const options = { root, ms: commandMs[claim.cost], ...(environment === undefined ? {} : { environment }) };
  const ran = await runCommand(claim.command, options);
  const outcome = judge(claim, ran);
  if (outcome.verdict === "failed") log(ran.output.trimEnd().split("\n").slice(-30).join("\n"));
  return outcome;
}

function changes(root: string): string {
  return git(root, "status", "--porcelain") + git(root, "diff");
}

function git(root: string, ...args: string[]): string {
  return execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 << 20 });
}
