import { inspect } from "node:util";

/** A problem of a configuration. It never has the value of a secret. */
export interface Problem {
  /** The setting: `database.url`. */
  readonly key: string;
  /** The origin of the value, or its place if it is missing: `config/orders.yaml:12`. */
  readonly source: string;
  /** The expected value: `a whole number from 0 to 65535`. */
  readonly expected: string;
}

const maxProblems = 50;

/** All problems of a configuration at once, so that they can be fixed in one go. */
export class ConfigError extends Error {
  static {
    this.prototype.name = "ConfigError";
  }

  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const lines = problems
      .slice(0, maxProblems)
      .map(({ key, source, expected }) => `  ${key} (${source}): expected ${expected}`);
    if (problems.length > maxProblems) lines.push(`  and ${problems.length - maxProblems} more`);
    super(
      `the configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}\n${lines.join("\n")}`,
    );
    this.problems = Object.freeze([...problems]);
    // Node prints an uncaught error with its stack and fields. The problem is in a file or
    // variable, not in the code, and the message names it.
    this.stack = `${this.name}: ${this.message}`;
    Object.defineProperty(this, "problems", { enumerable: false });
  }

  [inspect.custom](): string {
    return `${this.name}: ${this.message}`;
  }
}
