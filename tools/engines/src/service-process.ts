import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

const apps = join(import.meta.dirname, "../../../apps");
/** The most characters of output that are kept: more than a test under load writes. */
const maxOutput = 16_000_000;
const startMs = 60_000;
const runMs = 30_000;

type Environment = Readonly<Record<string, string>>;

/** A line of a service's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly message: string };

/** The exit code of a process, and the signal that ended it. */
export type Exit = readonly [code: number | null, signal: NodeJS.Signals | null];

/** Another program than the source of the service, such as its bundle. */
export interface ProgramOptions {
  readonly main?: string | undefined;
  readonly cwd?: string | undefined;
}

/** A service in a process of its own. Disposing kills it if it still runs. */
export class ServiceProcess implements AsyncDisposable {
  readonly name: string;
  readonly child: ChildProcess;
  /** Resolves once the process has ended and its output is complete. */
  readonly exited: Promise<Exit>;
  readonly #chunks: string[] = [];
  #size = 0;

  /** Starts the service with these settings and PATH as its environment. */
  constructor(
    name: string,
    environment: Environment,
    args: readonly string[] = [],
    { main = join(apps, name, "src/main.ts"), cwd }: ProgramOptions = {},
  ) {
    this.name = name;
    this.child = spawn(process.execPath, ["-C", "source", main, ...args], {
      cwd,
      env: { PATH: process.env["PATH"], ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (chunk: string) => {
        this.#chunks.push(chunk);
        this.#size += chunk.length;
        while (this.#size > maxOutput) this.#size -= this.#chunks.shift()?.length ?? 0;
      });
    }
    this.exited = once(this.child, "close") as Promise<unknown> as Promise<Exit>;
  }

  /** Returns what the process has written to both of its streams. */
  output(): string {
    return this.#chunks.join("");
  }

  /** Returns the lines of its log whose message begins so. */
  lines(message = ""): LogLine[] {
    return this.output()
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line) as LogLine)
      .filter((line) => line.message.startsWith(message));
  }

  /**
   * Resolves with the first line of its log whose message begins so. Rejects with the output if the
   * process ends without it, or does not write it in time.
   */
  async logged(message: string, ms = startMs): Promise<LogLine> {
    let hasEnded = false;
    void this.exited.then(() => (hasEnded = true));
    const { found } = await eventually(
      () => ({ found: this.output().includes(message) ? this.lines(message)[0] : undefined, hasEnded }),
      (seen) => seen.found !== undefined || seen.hasEnded,
      ms,
    ).catch((error: unknown) => {
      throw new Error(`${this.name} has not logged "${message}":\n${this.output()}`, { cause: error });
    });
    if (found === undefined) throw new Error(`${this.name} ended without logging "${message}":\n${this.output()}`);
    return found;
  }

  /** Sends a signal, and resolves once the process has ended. */
  async end(signal: NodeJS.Signals): Promise<Exit> {
    this.child.kill(signal);
    return await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}

/** A service that listens. */
export interface ListeningService extends AsyncDisposable {
  readonly process: ServiceProcess;
  readonly port: number;
  readonly opsPort: number;
}

/** Starts a service and resolves once it listens. Rejects with its output if it does not. */
export async function startService(
  name: string,
  environment: Environment,
  options: ProgramOptions = {},
): Promise<ListeningService> {
  await using starting = new AsyncDisposableStack();
  const process = starting.use(new ServiceProcess(name, environment, [], options));
  const { port, opsPort } = await process.logged(`${name} is listening`);
  const owned = starting.move();
  return {
    process,
    port: Number(port),
    opsPort: Number(opsPort),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Runs a service with arguments, such as "migrate", to its end. It is killed after 30 s. */
export async function runService(
  name: string,
  environment: Environment,
  args: readonly string[] = [],
  options: ProgramOptions = {},
): Promise<{ readonly code: number | NodeJS.Signals; readonly output: string }> {
  await using process = new ServiceProcess(name, environment, args, options);
  const late = setTimeout(() => process.child.kill("SIGKILL"), runMs);
  const [code, signal] = await process.exited;
  clearTimeout(late);
  return { code: code ?? signal ?? "SIGKILL", output: process.output() };
}
