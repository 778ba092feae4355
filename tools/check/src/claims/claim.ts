import { stripVTControlCharacters } from "node:util";

/** A sentence that this repository says about itself, and the command that proves it. */
export interface Claim {
  readonly claim: string;
  /** The command as a reader types it in the root of the repository. */
  readonly command: string;
  /** `fast`: in each run. `tests`: also in `npm test`, here with `--all`. `slow`: with `--all`. */
  readonly cost: "fast" | "tests" | "slow";
  /** The text that the command must print. By default that of tests that passed. */
  readonly prints?: string;
  /** The figure that the page shows: each match of this expression, its groups or the whole. */
  readonly figure?: RegExp;
  /** A program that the command needs. Without it the claim is not proven, which is no failure. */
  readonly needs?: "docker" | "go" | "java" | "k6";
  /** The command talks to a running stack at localhost:8080. */
  readonly stack?: boolean;
}

export interface Outcome {
  readonly verdict: "proven" | "failed" | "not proven";
  /** The reason, unless it is proven. */
  readonly reason?: string;
  readonly figure?: string | undefined;
}

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Returns what a command's exit code and output say about its claim. */
export function judge(claim: Claim, { code, output }: Ran): Outcome {
  if (code !== 0) return { verdict: "failed", reason: `the command ended with ${code ?? "a signal"}` };
  const text = stripVTControlCharacters(output);
  if (claim.prints !== undefined && !text.includes(claim.prints)) {
    return { verdict: "failed", reason: `the command did not print "${claim.prints}"` };
  }
  if (claim.cost === "tests") return judgeTests(text);
  const figure = figureIn(text, claim.figure);
  return figure === ""
    ? { verdict: "failed", reason: `no figure like ${claim.figure} was printed` }
    : { verdict: "proven", figure };
}

function judgeTests(text: string): Outcome {
  const count = (name: string) =>
    [...text.matchAll(new RegExp(`^ℹ ${name} (\\d+)$`, "gm"))].reduce((sum, [, n]) => sum + Number(n), 0);
  const [passed, failed, skipped] = [count("pass"), count("fail"), count("skipped")];
  if (failed > 0) return { verdict: "failed", reason: `${failed} tests failed` };
  if (passed === 0) return { verdict: "failed", reason: "no test ran" };
  if (skipped > 0) return { verdict: "not proven", reason: `${skipped} tests were skipped` };
  return { verdict: "proven", figure: `${passed} tests passed` };
}

function figureIn(text: string, pattern: RegExp | undefined): string | undefined {
  if (pattern === undefined) return undefined;
  return [...text.matchAll(new RegExp(pattern, "gm"))]
    .map(([whole, ...groups]) => (groups.length > 0 ? groups.join(" ") : whole).trim())
    .join(", ");
}
