import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fullJitter, sleep } from "@plumbline/concurrency";
import { compileCache } from "./compile-cache.ts";
import type { Program } from "./programs.ts";

export interface SupervisedOptions {
  readonly root: string;
  /** The modules that are loaded before the program's own. */
  readonly imports?: readonly string[];
  readonly onLine: (name: string, line: string) => void;
  /** The time that a program may drain before it is ended by force. */
  readonly stopMs: number;
}

const backoff = { baseMs: 250, maxMs: 10_000 };
/** After a run of this length the waits begin with the shortest again. */
const steadyMs = 30_000;
/** A program that dies this often before it was ready once is given up. */
const startAttempts = 3;
/**
 * What V8 may use for new objects. By default they take three times 16 MiB in each process before
 * they are collected, of which a laptop has little use: 50 MiB less for all together.
 */
const youngGeneration = "--max-semi-space-size=8";
/** The lines that are kept of its output. */
const keptLines = 200;
/** The lines that are shown of a program that does not start. */
const shownLines = 20;

/**
 * A program that is started again when it dies, until `stop` or `kill`. Its process group is its
 * own: Ctrl-C does not reach it.
 */
export class Supervised {
  readonly program: Program;
  readonly #options: SupervisedOptions;
  /** Undefined while it is stopped. */
  #running: AbortController | undefined;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #wasReady = false;
  #failures = 0;
  readonly #tail: string[] = [];
  #gaveUp: Error | undefined;
  /** The number of times it was started again after a death. */
  restarts = 0;

  constructor(program: Program, options: SupervisedOptions) {
    this.program = program;
    this.#options = options;
  }

  get name(): string {
    return this.program.name;
  }

  /** The last lines that it wrote. */
  get lastLines(): readonly string[] {
    return this.#tail;
  }

  /** False before `start` and after `stop` and `kill`. */
  get isStarted(): boolean {
    return this.#running !== undefined;
  }

  /** The process id while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The exit code of the last run, null after a signal, undefined while it runs. */
  get exitCode(): number | null | undefined {
    return this.#child?.exitCode === null && this.#child.signalCode === null ? undefined : this.#child?.exitCode;
  }

  start(): void {
    this.#running = new AbortController();
    this.#wasReady = false;
    this.#failures = 0;
    this.#gaveUp = undefined;
    this.#exited = this.#run(this.#running.signal);
  }

  /**
   * Resolves when the program answers that it is ready. Rejects when it keeps dying, or at the
   * deadline.
   */
  async ready(options: { signal: AbortSignal }): Promise<void> {
    for (;;) {
      if (this.#gaveUp !== undefined) throw this.#gaveUp;
      const answer = await fetch(this.program.ready, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.ok === true) break;
      if (options.signal.aborted) {
        throw new Error(
          `${this.name} did not get ready. Its last lines:\n${this.#tail.slice(-shownLines).join("\n")}`,
          {
            cause: options.signal.reason,
          },
        );
      }
      await sleep(25);
    }
    this.#wasReady = true;
  }

  /** Sends SIGTERM, then SIGKILL after `stopMs`. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#endRestarts();
    this.#child?.kill("SIGTERM");
    const force = setTimeout(() => {
      this.#options.onLine(this.name, `did not stop within ${this.#options.stopMs} ms: killed`);
      this.#child?.kill("SIGKILL");
    }, this.#options.stopMs);
    await this.#exited;
    clearTimeout(force);
  }

  /** Sends SIGKILL. Resolves when the process is gone; it stays down until `start`. */
  async kill(): Promise<void> {
    this.#endRestarts();
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  #endRestarts(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const started = performance.now();
      const end = await this.#runOnce();
      if (signal.aborted) return;
      this.#failures = performance.now() - started > steadyMs ? 1 : this.#failures + 1;
      if (!this.#wasReady && this.#failures >= startAttempts) {
        this.#gaveUp = new Error(
          `${this.name} does not start (${end}). Its last lines:\n${this.#tail.slice(-shownLines).join("\n")}`,
        );
        return;
      }
      const waitMs = Math.round(fullJitter(this.#failures, backoff));
      this.#options.onLine(this.name, `ended (${end}): starting it again in ${waitMs} ms`);
      await sleep(waitMs, { signal }).catch(() => {});
      if (!signal.aborted) this.restarts++;
    }
  }

  async #runOnce(): Promise<string> {
    const { root, imports = [], onLine } = this.#options;
    const preloads = ["./tools/stack/src/processes/with-parent.ts", ...imports].flatMap((module) => [
      "--import",
      module,
    ]);
    const { entry, environment } = this.program;
    const child = spawn(process.execPath, [youngGeneration, "-C", "source", ...preloads, entry], {
      cwd: root,
      env: { ...process.env, ...compileCache(root), ...environment },
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
