import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { deadline } from "@plumbline/concurrency";
import { createDatabase, startKafka, startPostgres } from "@plumbline/tools-engines";
import { checkPorts } from "./preflight.ts";
import {
  type DatabaseName,
  databases,
  type Environment,
  entries,
  type Ports,
  type Program,
  type ProgramsOptions,
  programs,
} from "./stack.ts";
import { Supervised } from "./supervised.ts";

export interface StackOptions extends ProgramsOptions {
  readonly root: string;
  readonly dataDir: string;
  readonly ports: Ports;
  /** Removes the data of earlier runs first. */
  readonly fresh?: boolean;
  /** Modules every program loads before its own, relative to the repository. */
  readonly imports?: readonly string[];
  /** Changes the table of programs, for replicas or other settings of one. Migrations stay those of "orders" and "worker". */
  readonly change?: (table: readonly Program[]) => readonly Program[];
  readonly onLine: (name: string, line: string) => void;
  /** Gives the start up: what runs already stops, and the call rejects. */
  readonly signal?: AbortSignal;
  readonly readyMs?: number;
  readonly stopMs?: number;
}

export interface Stack extends AsyncDisposable {
  readonly programs: ReadonlyMap<string, Supervised>;
  readonly postgresPid: number;
  readonly kafkaPid: number | undefined;
  /** Addresses of the Kafka that runs, if one does. */
  readonly kafkaBrokers: string | undefined;
  readonly databaseUrls: Readonly<Record<DatabaseName, string>>;
  /** Milliseconds from the call to everything ready. */
  readonly readyAfterMs: number;
}

/** What Postgres reports of an ordinary day: starts, stops, checkpoints. */
const routine = / LOG: |^\s*$/;

/**
 * Starts the embedded stack: Postgres, migrations, then every program of the table. Resolves when all are ready.
 * Disposing stops the services first and Postgres last, and keeps the data. Rejects with a message that says what to do,
 * and leaves nothing running.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const {
    root,
    ports,
    onLine,
    signal,
    adapter = "postgres",
    entry = "source",
    imports = [],
    readyMs = 60_000,
    stopMs = 12_000,
  } = options;
  const began = performance.now();
  await using resources = new AsyncDisposableStack();

  const { kafka: kafkaPort, ...others } = ports;
  await checkPorts(adapter === "kafka" ? ports : others);
  if (entry === "bundle") requireBundles(root);
  if (options.fresh === true) {
    // Only what the stack made: the folder around it may be somebody's own.
    for (const engine of ["postgres", "kafka"]) rmSync(join(options.dataDir, engine), { recursive: true, force: true });
  }
  const own = async <T extends AsyncDisposable>(starting: Promise<T>): Promise<T> => resources.use(await starting);
  const [postgres, kafka] = await allEnded([
    own(
      startPostgres({
        dataDir: join(options.dataDir, "postgres"),
        port: ports.postgres,
        onLog: (line) => {
          if (!routine.test(line)) onLine("postgres", line);
        },
      }),
    ),
    adapter === "kafka" ? own(startKafka({ dataDir: join(options.dataDir, "kafka"), port: kafkaPort })) : undefined,
    runScript(root, "libs/contracts/src/generate.ts", [], {}),
  ]);
  signal?.throwIfAborted();

  const urls = Object.fromEntries(
    await Promise.all(databases.map(async (name) => [name, await createDatabase(postgres.url, name, { owner: name })])),
  ) as Record<DatabaseName, string>;

  const known = programs(ports, urls, options);
  const table = options.change?.(known) ?? known;
  await Promise.all(
    table.filter(ownsData).map((program) => runScript(root, program.entry, ["migrate"], program.environment)),
  );

  signal?.throwIfAborted();

  const running = new Map(
    table.map((program) => [program.name, new Supervised(program, { root, imports, onLine, stopMs })]),
  );
  resources.defer(async () => {
    const { supplier, ...services } = Object.fromEntries(running);
    await Promise.all(Object.values(services).map((program) => program.stop()));
    await supplier?.stop(); // The worker may still ask it while it drains.
  });
  for (const program of running.values()) program.start();
  using limit = deadline(readyMs, { signal });
  await Promise.all([...running.values()].map((program) => program.ready({ signal: limit.signal })));

  const owned = resources.move();
  return {
    programs: running,
    postgresPid: postgres.pid,
    kafkaPid: kafka?.pid,
    kafkaBrokers: kafka?.brokers,
    databaseUrls: urls,
    readyAfterMs: performance.now() - began,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** As Promise.all, but rejects only when all have ended: what a slower one starts must have an owner, or it stays behind. */
async function allEnded<T extends readonly unknown[]>(
  work: readonly [...T],
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

function requireBundles(root: string): void {
  const missing = Object.values(entries("bundle")).filter((file) => !existsSync(join(root, file)));
  if (missing.length > 0) throw new Error(`not built: ${missing.join(", ")}. Run npx nx run-many -t build first`);
}

function ownsData(program: Program): boolean {
  return program.name === "orders" || program.name === "worker";
}

/** Runs a script to its end; its output is shown only if it fails. */
function runScript(root: string, entry: string, args: readonly string[], environment: Environment): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["-C", "source", entry, ...args], {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output = (output + text).slice(-8_000);
      });
    }
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${entry} ${args.join(" ")} failed with exit code ${code}:\n${output}`));
    });
  });
}
