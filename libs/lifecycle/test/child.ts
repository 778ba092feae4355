import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

/** A program of `test/programs` as a real process, killed when the test's scope ends. */
export class Child implements Disposable {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  #out = "";
  #err = "";

  constructor(program: string, env: Record<string, string> = {}, ipc = false) {
    const file = fileURLToPath(new URL(`programs/${program}.ts`, import.meta.url));
    this.process = spawn(process.execPath, ["-C", "source", file], {
      timeout: 20_000, // Fails a test that waits for an exit which does not happen.
      killSignal: "SIGKILL",
      env: { ...process.env, NODE_OPTIONS: "", NODE_TEST_CONTEXT: undefined, ...env },
      stdio: ["ignore", "pipe", "pipe", ...(ipc ? (["ipc"] as const) : [])],
    });
    this.process.stdout?.on("data", (chunk: Buffer) => (this.#out += chunk.toString()));
    this.process.stderr?.on("data", (chunk: Buffer) => (this.#err += chunk.toString()));
    // Not the event "close": Node does not emit it after this side has disconnected the channel.
    const streams = [this.process.stdout, this.process.stderr].map((stream) => stream && once(stream, "end"));
    this.ended = Promise.all([once(this.process, "exit"), ...streams]).then(([[code, signal]]) => ({
      code: code as number | null,
      signal: signal as string | null,
      out: this.#out,
      err: this.#err,
    }));
  }

  /**
   * Resolves once standard output contains `text`. Rejects if the process ends without it, or after
   * ten seconds.
   */
  async says(text: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#out.includes(text)) resolve();
    };
    const late = setTimeout(() => reject(new Error(`"${text}" was not printed:\n${this.#out}\n${this.#err}`)), 10_000);
    this.process.stdout?.on("data", look);
    void this.ended.then(() => reject(new Error(`ended without printing "${text}":\n${this.#out}\n${this.#err}`)));
    look();
    try {
      await promise;
    } finally {
      clearTimeout(late);
      this.process.stdout?.off("data", look);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /**
   * Repeats `signal` until the process has ended, so that one of them is too late to be an echo of
   * the first.
   */
  async killUntilEnded(signal: NodeJS.Signals): Promise<Ended> {
    const again = setInterval(() => this.kill(signal), 100);
    try {
      return await this.ended;
    } finally {
      clearInterval(again);
    }
  }

  [Symbol.dispose](): void {
    this.process.kill("SIGKILL");
  }
}
