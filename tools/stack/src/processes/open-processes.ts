import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { deadline } from "@plumbline/concurrency";
import {
  createDatabase,
  type EtcdProgram,
  freePorts,
  putMissing,
  type StackEtcd,
  startKafka,
  startPostgres,
  startStackEtcd,
} from "@plumbline/tools-engines";
import { credentialsOf, noCredentials, useCredentials } from "../identity.ts";
import type { Ports } from "../ports.ts";
import { databaseOwners, flagRows, ownServices, rows, serviceRow } from "../services.ts";
import type { Ended, Replica, Scale, Stack } from "../stack.ts";
import { writeCertificates } from "./certificates.ts";
import { limitCompileCache } from "./compile-cache.ts";
import { documentsOf } from "./documents.ts";
import { checkPorts } from "./preflight.ts";
import {
  type DatabaseName,
  databases,
  type ExtraReplica,
  migrationSettings,
  type Program,
  type ProgramsOptions,
  programs,
  roleOf,
  scriptOf,
} from "./programs.ts";
import { generateContracts, runScript } from "./run-script.ts";
import { Supervised } from "./supervised.ts";

export interface ProcessesOptions extends Omit<ProgramsOptions, "extra" | "etcdUrl" | "tokens" | "certificates"> {
  readonly root: string;
  readonly dataDir: string;
  readonly ports: Ports;
  /**
   * The folder of the token files, `tokens` in dataDir by default. False asks for no tokens:
   * everybody may call everything.
   */
  readonly tokens?: string | false | undefined;
  /**
   * Calls between the services are in the clear. By default they are over TLS, and both sides show
   * a certificate of an authority that is made at the start; with tokens, services are for the
   * gateway alone.
   */
  readonly plain?: boolean | undefined;
  /** Removes the data of earlier runs first. */
  readonly fresh?: boolean;
  /**
   * Keeps the settings and the flags in this etcd. Those of config/ are put if keys are missing.
   */
  readonly etcd?: EtcdProgram | undefined;
  /** The modules that every program loads before its own, relative to the repository. */
  readonly imports?: readonly string[];
  /** The number of replicas of a service; one where none is given. */
  readonly scale?: Scale;
  readonly onLine: (name: string, line: string) => void;
  /** Called with what the start waits for. */
  readonly onWait?: (what: string) => void;
  /** Gives the start up: running programs stop, and the call rejects. */
  readonly signal?: AbortSignal;
  readonly readyMs?: number;
  readonly stopMs?: number;
}

/** The stack as processes of this machine, with what only this adapter knows. */
export interface ProcessStack extends Stack {
  readonly kind: "processes";
  /** The programs that run, by the names of their replicas. */
  readonly programs: ReadonlyMap<string, Supervised>;
  readonly ports: Ports;
  readonly postgresPid: number;
  readonly kafkaPid: number | undefined;
  /** The address of the Kafka that runs, if one does. */
  readonly kafkaBrokers: string | undefined;
  /** The etcd that has the settings and the flags, if one runs. */
  readonly etcd: StackEtcd | undefined;
  /** The folder of the services' certificates (`certificateFiles`), if they have some. */
  readonly certificates: string | undefined;
  readonly databaseUrls: Readonly<Record<DatabaseName, string>>;
  /** The milliseconds from the call to everything ready. */
  readonly readyAfterMs: number;
}

/** For programs that start before Postgres, and use none of these. */
const noUrls = Object.fromEntries(databases.map((name) => [name, "postgresql://127.0.0.1"])) as Record<
  DatabaseName,
  string
>;

/** The lines that Postgres writes on an ordinary day: starts, stops, checkpoints. */
const routine = / LOG: |^\s*$/;

/**
 * Starts the embedded stack: Postgres, migrations, then every program of the table. Resolves when
 * all are ready. Disposing stops the services first and Postgres last, and keeps the data. Rejects
 * with a message that says what to do, and then leaves nothing running.
 */
export async function openProcesses(options: ProcessesOptions): Promise<ProcessStack> {
  const { root, ports, onLine, signal, adapter = "postgres", entry = "source" } = options;
  const { tokens: folder = join(options.dataDir, "tokens") } = options;
  const tokens = folder === false ? undefined : folder;
  const certificates = options.plain === true ? undefined : join(options.dataDir, "certificates");
  const began = performance.now();
  await using resources = new AsyncDisposableStack();

  const { kafka: kafkaPort, etcd: etcdPort, issuer: issuerPort, ...others } = ports;
  await checkPorts({
    ...others,
    ...(adapter === "kafka" && { kafka: kafkaPort }),
    ...(options.etcd && { etcd: etcdPort }),
    ...(tokens !== undefined && { issuer: issuerPort }),
  });
  if (entry === "bundle") requireBundles(root);
  limitCompileCache(root);
  if (options.fresh === true) {
    // Only the folders of the engines: the folder around them may hold other files.
    for (const engine of ["postgres", "kafka", "etcd"]) {
      rmSync(join(options.dataDir, engine), { recursive: true, force: true });
    }
  }
  const onWait = options.onWait ?? (() => {});
  const engines = ["Postgres", ...(adapter === "kafka" ? ["Kafka"] : []), ...(options.etcd ? ["etcd"] : [])];
  onWait(`${engines.join(", ")} and the contracts`);
  // The issuer needs nothing, and the others wait for it.
  const early = programs(ports, noUrls, { ...options, tokens })
    .filter(isFirst)
    .map((program) => supervised(program, options));
  resources.defer(async () => void (await Promise.all(early.map((program) => program.stop()))));
  for (const program of early) program.start();
  if (certificates !== undefined) writeCertificates(certificates);
  const own = async <T extends AsyncDisposable>(starting: Promise<T>): Promise<T> => resources.use(await starting);
  const [postgres, kafka, etcd] = await allEnded([
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
    options.etcd && own(startStackEtcd(options.etcd, { dataDir: join(options.dataDir, "etcd"), port: etcdPort })),
    generateContracts(root),
  ]);
  signal?.throwIfAborted();
  if (etcd !== undefined) await putMissing(etcd.url, documentsOf(root));

  onWait(`the databases ${databases.join(", ")}`);
  const urls: Record<DatabaseName, string> = { ...noUrls };
  // In turn: together each waits for the others, and gives up as if they were other programs.
  for (const name of databases) {
    const role = roleOf(name);
    urls[name] = await createDatabase(postgres.url, role, { owner: role });
  }

  const settings = { ...options, tokens, certificates, etcdUrl: etcd?.url };
  const firsts = programs(ports, urls, settings);
  const owners = firsts.filter(({ service }) => databaseOwners.some((owner) => owner === service));
  onWait(`the migrations of ${owners.map(({ name }) => name).join(", ")}`);
  await Promise.all(
    owners.map((program) => runScript(root, program.entry, ["migrate"], migrationSettings(program, urls))),
  );
  signal?.throwIfAborted();

  const running = resources.use(new Programs(settings, urls, early));
  await running.up(options.scale);

  const owned = resources.move();
  return {
    kind: "processes",
    killable: [...rows, ...(tokens === undefined ? [] : flagRows)].map(({ name }) => name),
    programs: running.byName,
    ports,
    gateways: async () => running.of("gateway").map(({ program }) => program.url),
    supplier: async () => `http://127.0.0.1:${ports.supplier}`,
    replicas: async (service) => running.of(service).map(({ program: { name } }) => ({ service, name })),
    kill: async (service) => void (await Promise.all(running.of(service).map((program) => program.kill()))),
    restart: (replica) => running.restart(replica),
    up: (scale) => running.up(scale),
    stop: () => running.stop(),
    logs: async (service, lines = 20) =>
      running
        .of(service)
        .flatMap(({ name, lastLines }) => lastLines.slice(-lines).map((line) => `${name} ${line}`))
        .join("\n"),
    postgresPid: postgres.pid,
    kafkaPid: kafka?.pid,
    kafkaBrokers: kafka?.brokers,
    etcd,
    certificates,
    databaseUrls: urls,
    readyAfterMs: performance.now() - began,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type ProgramsSettings = Omit<ProcessesOptions, "tokens"> & Pick<ProgramsOptions, "etcdUrl" | "tokens" | "certificates">;

/** The programs that run, brought to the number of replicas that is asked for. */
class Programs implements AsyncDisposable {
  readonly byName = new Map<string, Supervised>();
  readonly #options: ProgramsSettings;
  readonly #urls: Readonly<Record<DatabaseName, string>>;
  /**
   * Every replica beside the first that was ever asked for: one that comes back keeps its ports.
   */
  readonly #extra = new Map<string, ExtraReplica>();

  constructor(options: ProgramsSettings, urls: Readonly<Record<DatabaseName, string>>, running: readonly Supervised[]) {
    this.#options = options;
    this.#urls = urls;
    for (const program of running) this.byName.set(program.name, program);
  }

  of(service: string): Supervised[] {
    return [...this.byName.values()].filter(({ program, isStarted }) => program.service === service && isStarted);
  }

  async up(scale: Scale = {}): Promise<void> {
    const extra = await this.#extraReplicas(scale);
    const table = programs(this.#options.ports, this.#urls, { ...this.#options, extra });
    const surplus = [...this.byName].filter(([name]) => !table.some((program) => program.name === name));
    await Promise.all(surplus.map(([name, program]) => (this.byName.delete(name), program.stop())));
    using limit = deadline(this.#options.readyMs ?? 60_000, { signal: this.#options.signal });
    for (const program of table.filter(isFirst)) {
      await this.#run(program);
      // The others ask it at their start, and would wait for seconds if it did not answer.
      await this.byName.get(program.name)?.ready({ signal: limit.signal });
    }
    await Promise.all(table.filter((program) => !isFirst(program)).map((program) => this.#run(program)));
    const [issuer] = this.of("issuer");
    const credentials = issuer === undefined ? noCredentials : credentialsOf(issuer.program.url);
    for (const { program } of this.of("gateway")) useCredentials(program.url, credentials);
    const waiting = new Set(this.byName.keys());
    const tell = () => waiting.size > 0 && this.#options.onWait?.([...waiting].join(", "));
    tell();
    await Promise.all(
      [...this.byName].map(async ([name, program]) => {
        await program.ready({ signal: limit.signal });
        waiting.delete(name);
        tell();
      }),
    );
  }

  /**
   * Starts a program, again if its settings are others than before: the gateway knows the addresses
   * of all replicas.
   */
  async #run(program: Program): Promise<void> {
    const known = this.byName.get(program.name);
    if (known !== undefined && isDeepStrictEqual(known.program.environment, program.environment)) {
      if (!known.isStarted) known.start();
      return;
    }
    await known?.stop();
    const started = supervised(program, this.#options);
    this.byName.set(program.name, started);
    started.start();
  }

  async restart(replica: Replica): Promise<Ended> {
    const program = this.byName.get(replica.name);
    if (program === undefined) throw new Error(`there is no program "${replica.name}"`);
    await program.stop();
    const end = ended(program);
    program.start();
    using limit = deadline(this.#options.readyMs ?? 60_000);
    await program.ready({ signal: limit.signal });
    return end;
  }

  async stop(): Promise<Ended[]> {
    const all = [...this.byName.values()];
    const isStandIn = ({ program }: Supervised) => serviceRow(program.service).standIn === true;
    await Promise.all(all.filter((program) => !isStandIn(program)).map((program) => program.stop()));
    // A service may still call a stand-in while it drains.
    await Promise.all(all.filter(isStandIn).map((program) => program.stop()));
    return all.map(ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #extraReplicas(scale: Scale): Promise<ExtraReplica[]> {
    const names = Object.entries(scale).flatMap(([service, count]) =>
      Array.from({ length: Math.max(0, count - 1) }, (_, index) => ({ service, name: `${service}-${index + 2}` })),
    );
    for (const { service, name } of names.filter(({ name }) => !this.#extra.has(name))) {
      const [port = 0, opsPort = 0] = await freePorts(2);
      this.#extra.set(name, { service: serviceRow(service).name, name, port, opsPort });
    }
    return names.map(({ name }) => this.#extra.get(name) as ExtraReplica);
  }
}

/** Returns true for a program that the others ask at their start. */
function isFirst({ service }: Program): boolean {
  return serviceRow(service).flag !== undefined;
}

function supervised(program: Program, options: ProcessesOptions): Supervised {
  const { root, imports = [], onLine, stopMs = 12_000 } = options;
  return new Supervised(program, { root, imports, onLine, stopMs });
}

function ended({ program: { service, name }, exitCode = null }: Supervised): Ended {
  return { service, name, code: exitCode, clean: exitCode === 0 };
}

/**
 * Does what Promise.all does, but rejects only when all have ended: a slower one may still start
 * something.
 */
async function allEnded<T extends readonly unknown[]>(
  work: readonly [...T],
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

function requireBundles(root: string): void {
  const missing = ownServices
    .map(({ name }) => scriptOf(name, "bundle"))
    .filter((file) => !existsSync(join(root, file)));
  if (missing.length > 0) throw new Error(`not built: ${missing.join(", ")}. Run npx nx run-many -t build first`);
}
