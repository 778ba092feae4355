/**
 * The programs of the embedded stack: what runs, with which settings, made from the table in
 * services.ts.
 */
import { join } from "node:path";
import { settingsPrefix } from "@plumbline/config";
import type { Ports } from "../ports.ts";
import {
  databaseOwners,
  flagRows,
  ownServices,
  rows,
  type ServiceName,
  type ServiceRow,
  serviceRow,
} from "../services.ts";
import { type CertificateFiles, certificateFiles, identityOf } from "./certificates.ts";

export type Environment = Readonly<Record<string, string>>;

export interface Program {
  readonly service: ServiceName;
  /**
   * The service's name, with the number of the replica from the second on: "orders", "orders-2".
   */
  readonly name: string;
  /** The script, relative to the repository. */
  readonly entry: string;
  readonly environment: Environment;
  /** The address for its clients. */
  readonly url: string;
  /** The address that answers 200 once the program is ready. */
  readonly ready: string;
}

/**
 * The databases of the embedded Postgres, each reached by a role of its own: one for each owner of
 * data, and the events.
 */
export const databases = [...databaseOwners, "messaging"] as const;
export type DatabaseName = (typeof databases)[number];

/** Returns the role of a service, or that of the owner of the events, from its name. */
export function roleOf(name: string): string {
  return settingsPrefix(name).toLowerCase();
}

/**
 * The carrier of the events: a database of the embedded Postgres, or Apache Kafka on the local JVM.
 */
export type Adapter = "postgres" | "kafka";

/** A service's source, which needs no build, or its bundle (`nx build`). */
export type Entry = "source" | "bundle";

/** The carrier of the calls between the services, as their settings name it. */
export const transports = ["grpc-js", "http2"] as const;
export type Transport = (typeof transports)[number];

/** The one address that the stack listens on: other machines must not reach it. */
const loopback = "127.0.0.1";

/**
 * Returns the transport that `PLUMBLINE_TRANSPORT` names, for every service of a stack. Without it
 * each service has its own default. docker-compose.yml reads the same variable. Throws for an
 * unknown name.
 */
export function givenTransport(environment: NodeJS.ProcessEnv = process.env): Transport | undefined {
  const name = environment["PLUMBLINE_TRANSPORT"] ?? "";
  if (name === "") return undefined;
  const found = transports.find((transport) => transport === name);
  if (found === undefined) {
    throw new Error(`PLUMBLINE_TRANSPORT takes ${transports.join(" or ")}, not ${JSON.stringify(name)}`);
  }
  return found;
}

/** The SPIFFE ids of the programs that call our services. */
const callers = ownServices.filter(({ upstreams }) => upstreams === true).map(({ name }) => identityOf(name));

/** A second, third, ... replica of a service, on ports of its own. */
export interface ExtraReplica {
  readonly service: ServiceName;
  readonly name: string;
  readonly port: number;
  readonly opsPort: number;
}

export interface ProgramsOptions {
  /** The carrier of the events; "postgres" by default. */
  readonly adapter?: Adapter | undefined;
  /** "source" by default. */
  readonly entry?: Entry | undefined;
  /** The carrier of the calls; by default each service's own default. */
  readonly transport?: Transport | undefined;
  /** The etcd that has the settings and the flags; files have them if not given. */
  readonly etcdUrl?: string | undefined;
  /**
   * The folder of the token files. With it a development issuer runs, the gateway asks for tokens,
   * and the services believe it about who calls.
   */
  readonly tokens?: string | undefined;
  /**
   * The folder of `writeCertificates`. With it calls are over TLS and both sides show a
   * certificate; with tokens too, services are for the gateway alone. Without it calls are in the
   * clear.
   */
  readonly certificates?: string | undefined;
  /** Settings that every service gets. */
  readonly environment?: Environment | undefined;
  /** Replicas beside the first of each service. */
  readonly extra?: readonly ExtraReplica[] | undefined;
}

/**
 * Returns the script of a service, relative to the repository. The supplier is no release and has
 * no bundle here.
 */
export function scriptOf(service: ServiceName, entry: Entry): string {
  const isSource = entry === "source" || serviceRow(service).standIn === true;
  return `apps/${service}/${isSource ? "src/main.ts" : "dist/main.js"}`;
}

/** Returns the programs of the stack: one for each row of the table, and the extra replicas. */
export function programs(
  ports: Ports,
  urls: Readonly<Record<DatabaseName, string>>,
  options: ProgramsOptions = {},
): Program[] {
  const { adapter = "postgres", entry = "source", transport, etcdUrl, tokens, certificates, extra = [] } = options;
  const replicas = [
    ...[...(tokens === undefined ? [] : flagRows), ...rows].map(({ name }) => ({
      service: name,
      name,
      port: ports[name],
      opsPort: ports[`${name}Ops` as keyof Ports],
    })),
    ...extra,
  ];
  return replicas.map(({ service, name, port, opsPort }) => {
    const url = `http://${loopback}:${port}`;
    const ready = opsPort === undefined ? `${url}/healthz` : `http://${loopback}:${opsPort}/readyz`;
    return {
      service,
      name,
      entry: scriptOf(service, entry),
      environment: settings(service, port, opsPort),
      url,
      ready,
    };
  });

  function settings(service: ServiceName, port: number, opsPort: number): Environment {
    const row = serviceRow(service);
    const own: Record<string, string> = {};
    if (row.standIn === true) Object.assign(own, { HOST: loopback, PORT: String(port) });
    else {
      const section = row.http === true ? "HTTP" : "RPC";
      Object.assign(own, {
        [`${section}_HOST`]: loopback,
        [`${section}_PORT`]: String(port),
        OPS_HOST: loopback,
        OPS_PORT: String(opsPort),
        // A page whose name was bound to 127.0.0.1 is no page of ours.
        ...(row.http === true && { HTTP_HOSTS: "localhost,127.0.0.1,[::1]" }),
      });
    }
    if (row.database === true) own["DATABASE_URL"] = urls[service as DatabaseName];
    if (row.publishes !== undefined || row.consumes !== undefined) Object.assign(own, messaging(service));
    for (const [setting, called] of Object.entries(row.calls ?? {})) own[setting] = `http://${addressesOf(called)[0]}`;
    if (row.upstreams === true) Object.assign(own, upstreams());
    if (tokens !== undefined && service === "issuer") own["FOLDER"] = tokens;
    if (certificates !== undefined) Object.assign(own, tls(row, certificateFiles(certificates, service)));
    if (tokens !== undefined && row.packages !== undefined) {
      Object.assign(
        own,
        certificates === undefined ? { RPC_PRINCIPAL_PEERS: "loopback" } : { RPC_CALLERS: callers.join() },
      );
    }
    if (service === "gateway") {
      Object.assign(
        own,
        tokens === undefined ? { AUTH_OFF: "true" } : { AUTH_ISSUER: `http://${addressesOf("issuer")[0]}` },
      );
    }
    const prefix = settingsPrefix(service);
    const prefixed = Object.entries(own).map(([key, value]) => [`${prefix}_${key}`, value]);
    if (row.standIn === true) return Object.fromEntries(prefixed);
    const carrier = { [`${prefix}_${row.http === true ? "" : "RPC_"}TRANSPORT`]: transport };
    return {
      ...(transport && (carrier as Environment)),
      ...(etcdUrl !== undefined && documentsIn(etcdUrl, prefix)),
      ...options.environment,
      ...Object.fromEntries(prefixed),
    };
  }

  function tls(row: ServiceRow, files: CertificateFiles): Environment {
    const { certificate, key, ca } = files;
    const pair = (prefix: string) => ({ [`${prefix}_CERTIFICATE_FILE`]: certificate, [`${prefix}_KEY_FILE`]: key });
    return {
      ...(row.packages !== undefined && { ...pair("RPC_TLS"), RPC_TLS_CLIENT_CA_FILE: ca }),
      ...(row.upstreams === true && { ...pair("UPSTREAM_TLS"), UPSTREAM_TLS_CA_FILE: ca }),
    };
  }

  function messaging(service: ServiceName): Environment {
    if (adapter === "postgres") {
      // The role of its own database. The owner of the events' tables only migrates.
      const { pathname } = new URL(urls.messaging);
      const url = Object.assign(new URL(urls[service as DatabaseName]), { pathname }).href;
      return { MESSAGING_ADAPTER: "postgres", MESSAGING_URL: url };
    }
    // The partitions of a killed process are given to others after this: 30 s is long in front of a
    // terminal.
    return { MESSAGING_ADAPTER: "kafka", KAFKA_BROKERS: `${loopback}:${ports.kafka}`, KAFKA_SESSION_MS: "6000" };
  }

  function upstreams(): Environment {
    const settings = ownServices.flatMap(({ name, packages = [] }) =>
      packages.map(settingsPrefix).map((one) => ({
        [`UPSTREAMS_${one}`]: target(addressesOf(name)),
        ...(certificates !== undefined && { [`UPSTREAM_IDS_${one}`]: identityOf(name) }),
      })),
    );
    return Object.assign({}, ...settings) as Environment;
  }

  function addressesOf(service: string): string[] {
    return replicas.filter((replica) => replica.service === service).map(({ port }) => `${loopback}:${port}`);
  }
}

function documentsIn(etcdUrl: string, prefix: string): Environment {
  return {
    [`${prefix}_CONFIG_SOURCE`]: "etcd",
    [`${prefix}_CONFIG_ETCD_ENDPOINTS`]: etcdUrl,
    // Most services have no document until somebody puts one.
    [`${prefix}_CONFIG_OPTIONAL`]: "true",
  };
}

/**
 * Returns the settings of a program's argument `migrate`. It runs as the owner of the events'
 * tables, creates them and the topics, and gives the service's role its own topics.
 */
export function migrationSettings(
  { service, environment }: Program,
  urls: Readonly<Record<DatabaseName, string>>,
): Environment {
  const prefix = settingsPrefix(service);
  if (environment[`${prefix}_MESSAGING_ADAPTER`] !== "postgres") return environment;
  return {
    ...environment,
    [`${prefix}_MESSAGING_URL`]: urls.messaging,
    [`${prefix}_MESSAGING_ROLE`]: roleOf(service),
  };
}

/** Several addresses are given by number, since no name server here knows the replicas. */
function target(addresses: readonly string[]): string {
  return addresses.length === 1 ? `dns:///${addresses[0]}` : `ipv4:${addresses.join(",")}`;
}

/** Returns where the embedded stack keeps its data. */
export function dataFolder(root: string): string {
  return join(root, ".plumbline", "data");
}
