import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { freePort } from "../free-ports.ts";

export interface ConsulOptions {
  /** If true, the agent keeps its data on disk, and a restart finds them again. */
  readonly keepsData?: boolean | undefined;
  /** If set, every request needs a token, and this one may do everything. A UUID. */
  readonly token?: string | undefined;
}

/** A Consul agent of the caller alone, which it may kill and start again at the same address. */
export interface ConsulAgent extends AsyncDisposable {
  readonly url: string;
  /** The address of its DNS server, UDP and TCP. */
  readonly dns: { readonly host: string; readonly port: number };
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again. Resolves once it has a leader. */
  start(): Promise<void>;
}

export interface ConsulPorts {
  readonly http: number;
  readonly rpc: number;
  readonly serf: number;
  readonly dns: number;
}

/** Returns ports for one agent. They stay free while the agent is down. */
export async function consulPorts(): Promise<ConsulPorts> {
  return { http: await freePort(), rpc: await freePort(), serf: await freeUdpPort(), dns: await freeUdpPort() };
}

/** Returns the arguments of `consul` for one server on the loopback, with its data in `folder`. */
export function agentArguments(ports: ConsulPorts, folder: string, options: ConsulOptions): readonly string[] {
  const { keepsData = false, token } = options;
  const acl =
    token === undefined
      ? []
      : [`acl { enabled = true default_policy = "deny" tokens { initial_management = "${token}" } }`];
  const settings = [
    "performance { raft_multiplier = 1 }",
    "disable_update_check = true",
    // Not the host's identity: several agents run on one machine.
    "disable_host_node_id = true",
    `ports { server = ${ports.rpc} grpc = -1 grpc_tls = -1 }`,
    ...acl,
  ];
  return [
    "agent",
    ...(keepsData ? ["-server", "-bootstrap-expect=1", `-data-dir=${folder}`] : ["-dev"]),
    "-node=test",
    "-bind=127.0.0.1",
    "-client=127.0.0.1",
    `-http-port=${ports.http}`,
    `-dns-port=${ports.dns}`,
    `-serf-lan-port=${ports.serf}`,
    "-serf-wan-port=-1",
    "-log-level=warn",
    ...settings.flatMap((hcl) => ["-hcl", hcl]),
  ];
}

/** Returns true if the agent of `url` answers and knows its leader. */
export async function hasLeader(url: string, token?: string): Promise<boolean> {
  try {
    const headers: Record<string, string> = token === undefined ? {} : { "x-consul-token": token };
    const signal = AbortSignal.timeout(1_000);
    // The catalog also answers only after the token is known.
    const answer = await fetch(new URL("/v1/catalog/service/consul", url), { headers, signal });
    return answer.ok && ((await answer.json()) as unknown[]).length > 0;
  } catch {
    return false;
  }
}

/**
 * Returns a port that is free for UDP and TCP. `freePorts` claims its ports by UDP, so its ports
 * are of no use here. Below its range, and below that of outgoing connections.
 */
async function freeUdpPort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(10_000, 20_000);
    try {
      const udp = createSocket("udp4");
      udp.bind({ port, address: "127.0.0.1", exclusive: true });
      await once(udp, "listening");
      await new Promise<void>((closed) => udp.close(closed));
      const tcp = createServer().listen(port, "127.0.0.1");
      await once(tcp, "listening");
      await new Promise<unknown>((closed) => tcp.close(closed));
      return port;
    } catch {
      // Taken: the next one.
    }
  }
  throw new Error("found no port from 10000 to 20000 that is free for UDP: stop the programs that listen there");
}
