import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { fulfilmentEvents } from "@plumbline/contracts";
import { type Broker, type Message, openPostgresBroker } from "@plumbline/messaging";
import { type Database, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, testDatabase } from "@plumbline/tools-engines";

export const sources = { main: fileURLToPath(new URL("../src/main.ts", import.meta.url)), cwd: process.cwd() };

/** A worker process. */
export interface WorkerProcess extends AsyncDisposable {
  readonly port: number;
  readonly opsPort: number;
  /** Sends a signal. Resolves with the exit code, or the signal that ended the process. */
  end(signal: NodeJS.Signals): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  output(): string;
}

/** The engines of a worker, and the events that it publishes. */
export interface Surroundings extends AsyncDisposable {
  readonly broker: Broker;
  readonly database: Database;
  readonly environment: Readonly<Record<string, string>>;
  answersOf(orderId: string): readonly Message[];
}

export async function openSurroundings(program = sources): Promise<Surroundings> {
  await using opened = new AsyncDisposableStack();
  const own = opened.use(await testDatabase());
  const messaging = opened.use(await testDatabase());
  const environment = {
    WORKER_DATABASE_URL: own.url,
    WORKER_MESSAGING_URL: messaging.url,
    WORKER_RPC_HOST: "127.0.0.1",
    WORKER_RPC_PORT: "0",
    WORKER_OPS_PORT: "0",
  };
  const migrated = await finished(launch(program, environment, ["migrate"]));
  if (migrated.code !== 0) throw new Error(`migrate failed:\n${migrated.output}`);

  const database = opened.use(await openDatabase({ url: own.url, applicationName: "test" }, noTelemetry));
  const broker = opened.use(await openPostgresBroker({ url: messaging.url }, noTelemetry));
  const answers: Message[] = [];
  const subscription = { group: "test", concurrency: 1 };
  opened.use(
    await broker.subscribe(fulfilmentEvents.topic, async ({ message }) => void answers.push(message), subscription),
  );
  const owned = opened.move();
  return {
    broker,
    database,
    environment,
    answersOf: (orderId) => answers.filter(({ key }) => key === orderId),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Starts the worker and resolves once it is ready. */
export async function startWorker(
  environment: Readonly<Record<string, string>>,
  program = sources,
): Promise<WorkerProcess> {
  const { child, output } = launch(program, environment);
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const ready = await eventually(
    () =>
      lines(output()).find(({ message }) => message === "worker is listening") ??
      (child.exitCode === null ? undefined : null),
    (line) => line !== undefined,
    60_000,
  ).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw new Error(`the worker is not ready:\n${output()}`, { cause: error });
  });
  if (ready === null || ready === undefined) throw new Error(`the worker ended:\n${output()}`);
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    const [code, by] = await exited;
    return { code, signal: by };
  };
  return {
    port: Number(ready["port"]),
    opsPort: Number(ready["opsPort"]),
    end,
    output,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await end("SIGKILL");
    },
  };
}

/** Runs the program to its end. */
export async function finished({ child, output }: ReturnType<typeof launch>) {
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output: output() };
}

export function launch(
  { main, cwd }: typeof sources,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, ["-C", "source", main, ...args], {
    cwd,
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part: string) => (text += part));
  return { child, output: () => text };
}

function lines(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
