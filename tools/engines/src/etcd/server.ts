import { freePorts } from "../free-ports.ts";

/** Certificates in PEM. The server's one must be for 127.0.0.1. */
export interface EtcdTls {
  readonly certificate: string;
  readonly key: string;
  /** The authorities of client certificates, which are then required. */
  readonly clientCa?: string | undefined;
}

export interface EtcdOptions {
  /** If set, clients must use TLS. */
  readonly tls?: EtcdTls | undefined;
  /** If false, the server has lost its data when it is started again. They stay if not given. */
  readonly keepsData?: boolean | undefined;
  /** Its place in a cluster. Alone if not given. */
  readonly member?: EtcdMember | undefined;
}

/** A member of a cluster, and all of its members. */
export interface EtcdMember {
  readonly name: string;
  readonly ports: EtcdPorts;
  readonly all: readonly { readonly name: string; readonly ports: EtcdPorts }[];
}

/** An etcd of the caller alone, which it may kill and start again at the same address. */
export interface EtcdServer extends AsyncDisposable {
  /** "http://127.0.0.1:2379", or with https. */
  readonly url: string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again. Resolves once it is healthy. */
  start(): Promise<void>;
  /** Stops it without an end of its connections, as a partition would. */
  pause(): Promise<void>;
  /** Ends `pause`. */
  resume(): Promise<void>;
}

export interface EtcdPorts {
  readonly client: number;
  readonly peer: number;
  readonly health: number;
}

/** Returns ports for one server. They stay free while it is down. */
export async function etcdPorts(): Promise<EtcdPorts> {
  const [client = 0, peer = 0, health = 0] = await freePorts(3);
  return { client, peer, health };
}

/** The files of the certificates, by their names in the folder of the data. */
export function tlsFiles({ certificate, key, clientCa }: EtcdTls): ReadonlyMap<string, string> {
  const files = new Map([
    ["server.pem", certificate],
    ["server.key", key],
  ]);
  if (clientCa !== undefined) files.set("client-ca.pem", clientCa);
  return files;
}

export function urlOf({ client }: EtcdPorts, { tls }: EtcdOptions): string {
  return `http${tls === undefined ? "" : "s"}://127.0.0.1:${client}`;
}

/** Returns the arguments of `etcd` for one member on the loopback, with its data in `folder`. */
export function etcdArguments(ports: EtcdPorts, folder: string, options: EtcdOptions): readonly string[] {
  const url = urlOf(ports, options);
  const peer = `http://127.0.0.1:${ports.peer}`;
  const { tls, member } = options;
  const name = member?.name ?? "test";
  const cluster = (member?.all ?? [{ name, ports }]).map((one) => `${one.name}=http://127.0.0.1:${one.ports.peer}`);
  // Members on a busy machine are late for each other.
  const [heartbeatMs, electionMs] = member === undefined ? [50, 500] : [100, 1_000];
  return [
    `--name=${name}`,
    `--data-dir=${folder}/data`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=${cluster.join(",")}`,
    // Health without a client certificate.
    `--listen-metrics-urls=http://127.0.0.1:${ports.health}`,
    "--unsafe-no-fsync",
    "--bcrypt-cost=4",
    `--heartbeat-interval=${heartbeatMs}`,
    `--election-timeout=${electionMs}`,
    "--log-level=error",
    ...(tls === undefined ? [] : [`--cert-file=${folder}/server.pem`, `--key-file=${folder}/server.key`]),
    ...(tls?.clientCa === undefined ? [] : ["--client-cert-auth", `--trusted-ca-file=${folder}/client-ca.pem`]),
  ];
}

/** Returns true if the server has a leader and takes writes. */
export async function isHealthy({ health }: EtcdPorts): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${health}/health`, { signal: AbortSignal.timeout(1_000) });
    return ((await answer.json()) as { health?: string }).health === "true";
  } catch {
    return false;
  }
}
