import { type Channel, type ClientTls, connect, createClient, type Reloadable } from "@plumbline/rpc";
import type { Telemetry } from "@plumbline/telemetry";
import type { Endpoint } from "./endpoint.ts";
import { AuthDefinition, KVDefinition, LeaseDefinition, WatchDefinition } from "./gen/etcd/api/etcdserverpb/rpc.ts";

export interface SessionOptions {
  readonly endpoint: Endpoint;
  readonly tls: Reloadable<ClientTls> | undefined;
  readonly telemetry: Telemetry;
  readonly timeoutMs: number;
}

// A range of a thousand documents of 512 KiB would not fit, and is refused by its size.
const maxMessageBytes = 16 * 1024 * 1024;

/** A connection to one member, until a call on it fails. */
export interface Session extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly kv: Client<typeof KVDefinition>;
  readonly lease: Client<typeof LeaseDefinition>;
  readonly watch: Client<typeof WatchDefinition>;
  readonly auth: Client<typeof AuthDefinition>;
}

type Client<D extends Parameters<typeof createClient>[0]> = ReturnType<typeof createClient<D>>;

export async function openSession({ endpoint, tls, telemetry, timeoutMs }: SessionOptions): Promise<Session> {
  const channel: Channel = await connect(endpoint.address, telemetry, {
    transport: "http2",
    tls: endpoint.isSecure ? (tls ?? {}) : undefined,
    timeoutMs,
    maxMessageBytes,
  });
  return {
    endpoint,
    kv: createClient(KVDefinition, channel),
    lease: createClient(LeaseDefinition, channel),
    watch: createClient(WatchDefinition, channel),
    auth: createClient(AuthDefinition, channel),
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
}
