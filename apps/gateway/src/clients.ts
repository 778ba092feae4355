import { type Channel, type ConnectOptions, connect } from "@plumbline/rpc";
import type { Telemetry } from "@plumbline/telemetry";
import type { Upstream, UpstreamCall } from "./upstream.ts";

/**
 * The channels to the services, by the names of their settings. Disposing closes every connection.
 */
export interface Clients extends AsyncDisposable {
  get(name: string): Upstream | undefined;
  /** One readiness check per service. It resolves once the service was reached. */
  readonly checks: Readonly<Record<string, Channel["ready"]>>;
}

interface ClientsOptions extends Pick<ConnectOptions, "transport" | "tls" | "balancing" | "resolvers"> {
  /** The SPIFFE ids of services; those without are known by the host of their target. */
  readonly ids?: Readonly<Record<string, string>> | undefined;
}

/**
 * Opens two channels to each target: one for calls, one for streams. Services with the same target
 * and the same ids share them. Each connects with its first call.
 */
export async function openClients(
  targets: Readonly<Record<string, string>>,
  telemetry: Telemetry,
  { ids = {}, ...options }: ClientsOptions,
): Promise<Clients> {
  await using opening = new AsyncDisposableStack();
  const services = new Map<string, Service>();
  const byName = new Map<string, Service>();
  for (const [name, target] of Object.entries(targets)) {
    const serverIds = ids[name];
    const open = async () => opening.use(await connect(target, telemetry, { ...options, serverIds }));
    const key = JSON.stringify([target, serverIds]);
    const service = services.get(key) ?? new Service(await open(), await open());
    services.set(key, service);
    byName.set(name, service);
  }
  const opened = opening.move();
  return {
    get: (name) => byName.get(name),
    checks: Object.fromEntries([...byName].map(([name, { calls }]) => [name, (options) => calls.ready(options)])),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/**
 * A service with two channels. Streams last as long as their clients like, and a connection has a
 * bounded number of places: on a shared one they would leave none for calls.
 */
class Service implements Upstream {
  readonly calls: Channel;
  readonly #streams: Channel;

  constructor(calls: Channel, streams: Channel) {
    this.calls = calls;
    this.#streams = streams;
  }

  unary(path: string, request: Uint8Array, call: UpstreamCall): Promise<{ readonly message: Uint8Array }> {
    return this.calls.unary(path, request, call);
  }

  serverStream(path: string, request: Uint8Array, call: UpstreamCall): AsyncIterable<Uint8Array> {
    return this.#streams.serverStream(path, request, call);
  }
}
