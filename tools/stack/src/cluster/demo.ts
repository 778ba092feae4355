/** The demo of tests/load, which places orders and counts them at the end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Print } from "./in-namespace.ts";
import type { Report } from "./report.ts";

const root = resolve(import.meta.dirname, "../../../..");

/** A demo that runs. */
export interface Demo {
  /** Resolves once this many orders are placed, or the demo has ended. */
  placed(count: number): Promise<void>;
  /** Resolves with the exit code: 0 if each order has ended once and as it must. */
  readonly ended: Promise<number>;
}

/** Starts the demo in a process of its own, and prints what it says at its end. */
export function startDemo(url: string, orders: number, print: Print): Demo {
  const options = ["--url", url, "--orders", `${orders}`];
  const child = spawn(process.execPath, ["-C", "source", "tests/load/src/demo/main.ts", ...options], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const waiting = new Map<number, PromiseWithResolvers<void>>();
  createInterface(child.stdout).on("line", (line) => {
    const placed = placedOf(line);
    if (placed === undefined) return print(line);
    for (const [count, { resolve: reached }] of waiting) if (placed >= count) reached();
  });
  const ended = once(child, "close").then(([code]) => {
    for (const { resolve: reached } of waiting.values()) reached();
    return (code as number | null) ?? 1;
  });
  return {
    ended,
    placed(count) {
      const reached = waiting.get(count) ?? Promise.withResolvers<void>();
      waiting.set(count, reached);
      return Promise.race([reached.promise, ended.then(() => undefined)]);
    },
  };
}

/** Returns the number of placed orders in a line of the demo's progress. */
export function placedOf(line: string): number | undefined {
  const found = /^placed \S+ (\d+)\//.exec(line)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Adds a row: the demo has ended with 0. */
export function checkDemo(report: Report, what: string, orders: number, code: number): void {
  report.check(
    `${what}: ${orders} orders, each once`,
    code === 0 ? "passed" : `exit code ${code}`,
    "exit code 0",
    code === 0,
  );
}
