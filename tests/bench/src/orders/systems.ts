import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { KafkaClientName } from "@plumbline/messaging/settings";
import { createDatabase, freePort } from "@plumbline/tools-engines";
import {
  databases as databaseNames,
  freeStackPorts,
  migrationSettings,
  programs,
  settingsPrefix,
} from "@plumbline/tools-stack";
import { knownSettings, onlyKnown } from "../against/known-settings.ts";
import { gcFile } from "../competitors/gc-file.ts";
import { type Program, Running } from "../competitors/program.ts";
import { node } from "../competitors/targets.ts";
import type { ControlGroup } from "../control-group.ts";
import type { Engines } from "./engines.ts";

/** A system that accepts orders by OrdersService.PlaceOrder and fulfils them. */
export interface System {
  readonly name: string;
  readonly rpcPort: number;
  /** The prefix of its databases' names. */
  readonly prefix: string;
  /** The database with its table `orders`: id, customer_id, status, update_time. */
  readonly databaseUrl: string;
  /** The database of its worker. */
  readonly workerUrl: string;
  readonly services: readonly Service[];
}

export interface Service {
  readonly name: string;
  readonly running: Running;
  /** The file of its pauses. */
  readonly gcFile: string;
  /** The port of its metrics; a bare system has none. */
  readonly opsPort?: number;
}

export interface Site {
  readonly root: string;
  /** The folder of the installed competitors; undefined leaves them out. */
  readonly competitors: string | undefined;
  /** A folder of this run: compile caches, reports. */
  readonly folder: string;
  readonly engines: Engines;
  readonly supplier: string;
  /** The client library of orders and worker on Kafka. */
  readonly kafkaClient: KafkaClientName;
  /** Flags of Node for the services, for example for a profile. */
  readonly flags: readonly string[];
}

const serviceNames = ["orders", "worker"] as const;
type ServiceName = (typeof serviceNames)[number];

export type Adapter = "kafka" | "postgres";

/**
 * Returns orders and worker as they are deployed: bundles, default settings, log lines of level
 * info, written to /dev/null. Creates the tables and topics of both, also if only one is named.
 */
export async function startOurs(
  site: Site,
  name: string,
  adapter: Adapter,
  stack: AsyncDisposableStack,
  names: readonly ServiceName[] = serviceNames,
): Promise<System> {
  const urls = await databases(site, adapter);
  const services: Service[] = [];
  for (const service of serviceNames) {
    const { program, migration } = await programsOf(site, adapter, urls, service);
    await migrate(site, migration);
    if (!names.includes(service)) continue;
    const opsPort = Number(program.env[`${service.toUpperCase()}_OPS_PORT`]);
    services.push({ name: service, opsPort, ...(await start(site, program, stack)) });
  }
  const rpcPort = services[0]?.running.port ?? 0;
  return { name, rpcPort, prefix: `${adapter}_`, databaseUrl: urls.orders, workerUrl: urls.worker, services };
}

/** Returns one worker within each control group, on Kafka, with one database. */
export async function startWorkers(
  site: Site,
  groups: readonly ControlGroup[],
  stack: AsyncDisposableStack,
): Promise<{ readonly running: readonly Running[]; readonly databaseUrl: string }> {
  const urls = await databases(site, "kafka");
  await migrate(site, (await programsOf(site, "kafka", urls, "worker")).migration);
  const running: Running[] = [];
  for (const group of groups) {
    const { program } = await programsOf(site, "kafka", urls, "worker");
    running.push((await start(site, group.holding(program), stack)).running);
  }
  return { running, databaseUrl: urls.worker };
}

/**
 * Returns the same by hand on kafkajs and pg: competitors/bare-orders.js lists what it does and
 * what it lacks.
 */
export async function startBare(
  site: Site,
  name: string,
  competitors: string,
  stack: AsyncDisposableStack,
): Promise<System> {
  const services: Service[] = [];
  const urls: string[] = [];
  for (const service of serviceNames) {
    const owner = `bare_${service}`;
    const url = await createDatabase(site.engines.postgresUrl, owner, { owner });
    urls.push(url);
    const port = await freePort();
    const env = {
      PORT: `${port}`,
      DATABASE_URL: url,
      BROKERS: `127.0.0.1:${site.engines.kafkaPort}`,
      SUPPLIER: site.supplier,
      NODE_ENV: "production",
    };
    // kafkajs sets timers in the past, which makes Node warn.
    const flags = ["--no-warnings", ...site.flags];
    const program = node(site, join(competitors, `bare-${service}.js`), env, port, flags);
    services.push({ name: service, ...(await start(site, program, stack)) });
  }
  const [databaseUrl = "", workerUrl = ""] = urls;
  const rpcPort = services[0]?.running.port ?? 0;
  return { name, rpcPort, prefix: "bare_", databaseUrl, workerUrl, services };
}

/** Starts the supplier that all systems ask. */
export async function startSupplier(site: Omit<Site, "supplier">, stack: AsyncDisposableStack): Promise<string> {
  const port = await freePort();
  const program: Program = {
    command: process.execPath,
    args: ["-C", "source", join(site.root, "apps/supplier/src/main.ts")],
    env: { SUPPLIER_PORT: `${port}` },
    port,
  };
  stack.use(await Running.start(program, undefined, site.folder));
  return `http://127.0.0.1:${port}`;
}

type Urls = Parameters<typeof programs>[1];

async function databases({ engines }: Site, adapter: Adapter): Promise<Urls> {
  const urls: Record<string, string> = {};
  for (const name of databaseNames) {
    const role = roleIn(adapter, name);
    urls[name] = await createDatabase(engines.postgresUrl, role, { owner: role });
  }
  return urls as Urls;
}

/**
 * Returns the program and its migration as `npm start` would start them, on other ports and from
 * the bundle of the site's checkout, with the settings that this checkout knows.
 */
async function programsOf(
  site: Site,
  adapter: Adapter,
  urls: Urls,
  name: ServiceName,
): Promise<{ readonly program: Program; readonly migration: Program }> {
  const ports = { ...(await freeStackPorts()), kafka: site.engines.kafkaPort ?? 0 };
  const found = programs(ports, urls, { adapter, entry: "bundle" }).find((program) => program.name === name);
  if (found === undefined) throw new Error(`the stack has no program "${name}"`);
  const prefix = name.toUpperCase();
  const common = {
    [`${prefix}_RPC_HOST`]: "127.0.0.1",
    [`${prefix}_OPS_HOST`]: "127.0.0.1",
    [`${prefix}_RPC_TRANSPORT`]: "http2",
    [`${prefix}_KAFKA_CLIENT`]: site.kafkaClient,
    WORKER_SUPPLIERS_URL: site.supplier,
    NODE_ENV: "production",
  };
  const known = knownSettings(readFileSync(join(site.root, "docs/settings.md"), "utf8"));
  const [url, role] = [`${prefix}_MESSAGING_URL`, `${prefix}_MESSAGING_ROLE`];
  const owner = migrationSettings(found, urls);
  // Before services had roles of their own there, each reached the events as their owner.
  const asOwner = known.has(role) || adapter === "kafka" ? {} : { [url]: urls.messaging };
  const run = (settings: Readonly<Record<string, string>>): Program =>
    node(site, join(site.root, found.entry), onlyKnown({ ...settings, ...common }, known), ports[name], site.flags);
  return {
    program: run({ ...found.environment, ...asOwner }),
    migration: run({ ...owner, ...(adapter === "postgres" && { [role]: roleIn(adapter, name) }) }),
  };
}

/** The role that a service logs in by: systems of several adapters share a server. */
function roleIn(adapter: Adapter, name: string): string {
  return `${adapter}_${settingsPrefix(name).toLowerCase()}`;
}

/** Creates its tables and topics. */
async function migrate({ folder }: Site, { command, args, env }: Program): Promise<void> {
  const entry = args.at(-1) ?? "";
  await promisify(execFile)(command, [entry, "migrate"], { cwd: folder, env: { ...env }, timeout: 60_000 });
}

async function start({ folder }: Site, program: Program, stack: AsyncDisposableStack) {
  const running = stack.use(await Running.start(program, undefined, folder));
  return { running, gcFile: gcFile(folder, program.port) };
}
