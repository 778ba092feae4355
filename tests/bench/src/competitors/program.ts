import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { connect } from "node:net";
import { availableParallelism } from "node:os";
import { sleep } from "@plumbline/concurrency";
import { interrupted } from "../interruption.ts";
import { cpuSecondsOf, residentMiB } from "../processes.ts";

/** The command of one process that listens on 127.0.0.1 at `port`. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly port: number;
}

/** True if processes can be bound to a core: measured ones to the first, callers to the second. */
export const canPin = availableParallelism() >= 2 && spawnSync("taskset", ["-V"]).status === 0;

/** A core, or any. */
export type Core = 0 | 1 | undefined;

/** A command that runs on one core. */
export function pinned(core: Core, command: string, args: readonly string[]): [string, string[]] {
  return canPin && core !== undefined ? ["taskset", ["-c", `${core}`, command, ...args]] : [command, [...args]];
}

/** The processes that run. They end with this one, unless it is killed. */
const alive = new Set<ChildProcess>();
const endAll = (signal: NodeJS.Signals) => {
  for (const child of alive) child.kill(signal);
};
process.on("exit", () => endAll("SIGKILL"));
interrupted.addEventListener("abort", () => endAll("SIGTERM"));

/** A process that listens. Its log goes to /dev/null, so that a line costs the same in each. */
export class Running implements AsyncDisposable {
  /** From the start to the first accepted connection. */
  readonly startMs: number;
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number, startMs: number) {
    this.#child = child;
    this.port = port;
    this.startMs = startMs;
  }

  static async start({ command, args, env, port }: Program, core: Core, cwd: string): Promise<Running> {
    const began = performance.now();
    const child = spawn(...pinned(core, command, args), {
      cwd,
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["ignore", "ignore", "inherit"],
    });
    alive.add(child);
    child.once("exit", () => alive.delete(child));
    const giveUpAt = began + 30_000;
    while (!(await accepts(port))) {
      if (child.exitCode !== null || performance.now() > giveUpAt || interrupted.aborted) {
        child.kill("SIGKILL");
        interrupted.throwIfAborted();
        throw new Error(`${command} ${args.join(" ")} did not listen on ${port}`);
      }
      await sleep(2);
    }
    return new Running(child, port, performance.now() - began);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Returns user and system seconds so far, including children that have exited. */
  cpuSeconds(): number {
    return cpuSecondsOf(this.pid);
  }

  residentMiB(): number {
    return residentMiB(this.pid);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    const late = setTimeout(() => this.#child.kill("SIGKILL"), 3_000);
    await gone;
    clearTimeout(late);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
