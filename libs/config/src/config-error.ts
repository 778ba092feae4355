import { inspect } from "node:util";

/** One thing that is wrong. Never holds the value of a secret. */
export interface Problem {
  /** The setting: `database.url`. */
  readonly key: string;
  /** Where the value came from, or could come from: `config/orders.yaml:12`, `ORDERS_DATABASE_URL`. */
  readonly source: string;
  /** What would be right: `a whole number from 0 to 65535`. */
  readonly expected: string;
}

const maxProblems = 50;

/** Everything that is wrong with a configuration, at once: nobody likes to fix it line by line. */
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
    // Node prints an error nobody caught with its stack and fields. What is wrong is in a file or a variable, not in the
    // code, and the message has said it.
    this.stack = `${this.name}: ${this.message}`;
    Object.defineProperty(this, "problems", { enumerable: false });
  }

  [inspect.custom](): string {
    return `${this.name}: ${this.message}`;
  }
}
