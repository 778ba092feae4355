import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fullJitter, sleep } from "@plumbline/concurrency";
import type { Program } from "./stack.ts";

export interface SupervisedOptions {
  readonly root: string;
  /** Modules loaded before the program's own. */
  readonly imports?: readonly string[];
  readonly onLine: (name: string, line: string) => void;
  /** How long a program may drain before it is ended by force. */
  readonly stopMs: number;
}

const backoff = { baseMs: 250, maxMs: 10_000 };
/** A program that ran this long starts over with the shortest wait. */
const steadyMs = 30_000;
/** A program that dies this often before it was ever ready will not get better. */
const startAttempts = 3;
/** What is kept of its output, to show when it does not start. */
const keptLines = 20;

/** One program, started again when it dies, until `stop`. It runs in a process group of its own, so Ctrl-C passes it by. */
export class Supervised {
  readonly #program: Program;
  readonly #options: SupervisedOptions;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #wasReady = false;
  #failures = 0;
  readonly #tail: string[] = [];
  #gaveUp: Error | undefined;
  /** How often it was started again after a death. */
  restarts = 0;

  constructor(program: Program, options: SupervisedOptions) {
    this.#program = program;
    this.#options = options;
  }

  get name(): string {
    return this.#program.name;
  }

  /** Answers 200 once it is ready. */
  get readyUrl(): string {
    return this.#program.ready;
  }

  /** Process id while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Exit code of the last run, null after a signal, undefined while it runs. */
  get exitCode(): number | null | undefined {
    return this.#child?.exitCode === null && this.#child.signalCode === null ? undefined : this.#child?.exitCode;
  }

  start(): void {
    this.#exited = this.#run();
  }

  /** Resolves when the program answers that it is ready; rejects when it keeps dying or the time is over. */
  async ready(options: { signal: AbortSignal }): Promise<void> {
    for (;;) {
      if (this.#gaveUp !== undefined) throw this.#gaveUp;
      const answer = await fetch(this.#program.ready, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.ok === true) break;
      if (options.signal.aborted) {
        throw new Error(`${this.name} did not get ready. Its last lines:\n${this.#tail.join("\n")}`, {
          cause: options.signal.reason,
        });
      }
      await sleep(25);
    }
    this.#wasReady = true;
  }

  /** SIGTERM, then SIGKILL after `stopMs`. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#child?.kill("SIGTERM");
    const force = setTimeout(() => {
      this.#options.onLine(this.name, `did not stop within ${this.#options.stopMs} ms: killed`);
      this.#child?.kill("SIGKILL");
    }, this.#options.stopMs);
    await this.#exited;
    clearTimeout(force);
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const started = performance.now();
      const end = await this.#runOnce();
      if (this.#stopping.signal.aborted) return;
      this.#failures = performance.now() - started > steadyMs ? 1 : this.#failures + 1;
      if (!this.#wasReady && this.#failures >= startAttempts) {
        this.#gaveUp = new Error(`${this.name} does not start (${end}). Its last lines:\n${this.#tail.join("\n")}`);
        return;
      }
      const waitMs = Math.round(fullJitter(this.#failures, backoff));
      this.#options.onLine(this.name, `ended (${end}): starting it again in ${waitMs} ms`);
      await sleep(waitMs, { signal: this.#stopping.signal }).catch(() => {});
      this.restarts++;
    }
  }

  async #runOnce(): Promise<string> {
    const { root, imports = [], onLine } = this.#options;
    const preloads = ["./tools/stack/src/processes/with-parent.ts", ...imports].flatMap((module) => [
      "--import",
      module,
    ]);
    const { entry, args = [], environment } = this.#program;
    const child = spawn(process.execPath, ["-C", "source", ...preloads, entry, ...args], {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.#tail.push(line);
        if (this.#tail.length > keptLines) this.#tail.shift();
        onLine(this.name, line);
      });
    }
    child.stdin.on("error", () => {});
    return new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
  }
}
