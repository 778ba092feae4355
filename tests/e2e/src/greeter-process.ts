import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { goBuild } from "@plumbline/tools-go";
import { root } from "./stack.ts";

/** The command of one implementation of greeter. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

export const greeterInTypeScript: Program = {
  command: process.execPath,
  args: ["-C", "source", join(root, "apps/greeter/src/main.ts")],
};

/** Builds greeter-go into a temporary folder; disposing removes it. Throws without Go. */
export function buildGreeterInGo(): Program & Disposable {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-greeter-go-"));
  const command = goBuild(join(root, "apps/greeter-go"), ".", join(folder, "greeter-go"));
  return { command, args: [], [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

export type Line = Readonly<Record<string, unknown>>;

/** A greeter on free ports, with its log lines. Disposing kills it if it still runs. */
export class Greeter implements Disposable {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  readonly errors: Promise<string>;
  /** The exit code and the signal. */
  readonly exited: Promise<unknown[]>;
  readonly #listening = Promise.withResolvers<{ rpc: string; ops: string }>();
  readonly #listeners = new Set<() => void>();

  constructor(program: Program, environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn(program.command, program.args, {
      env: {
        PATH: process.env["PATH"],
        GREETER_RPC_HOST: "127.0.0.1",
        GREETER_RPC_PORT: "0",
        GREETER_OPS_HOST: "127.0.0.1",
        GREETER_OPS_PORT: "0",
        ...environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.child;
    if (!stdout || !stderr) throw new Error("greeter has no output");
    this.errors = text(stderr);
    this.exited = once(this.child, "close");
    this.#listening.promise.catch(() => {});
    void this.exited.then(() => this.#listening.reject(new Error("greeter ended before it listened")));
    createInterface({ input: stdout }).on("line", (json) => this.#read(JSON.parse(json) as Line));
  }

  /** Resolves with its ports once it listens. */
  get addresses(): Promise<{ readonly rpc: string; readonly ops: string }> {
    return this.#listening.promise;
  }

  /** Resolves with the first matching line. Rejects if the process ends without one. */
  async line(fits: (line: Line) => boolean): Promise<Line> {
    for (;;) {
      const found = this.lines.find(fits);
      if (found !== undefined) return found;
      const more = Promise.withResolvers<void>();
      this.#listeners.add(more.resolve);
      void this.exited.then(() => more.reject(new Error("greeter ended without that line")));
      await more.promise.finally(() => this.#listeners.delete(more.resolve));
    }
  }

  #read(line: Line): void {
    this.lines.push(line);
    if (line["message"] === "greeter is listening") {
      this.#listening.resolve({ rpc: `127.0.0.1:${line["port"]}`, ops: `http://127.0.0.1:${line["opsPort"]}` });
    }
    for (const listener of this.#listeners) listener();
  }

  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
  }
}
