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

/**
 * Opens two channels to each target: one for calls, one for streams. Services with the same target
 * share them. Each connects with its first call.
 */
export async function openClients(
  targets: Readonly<Record<string, string>>,
  telemetry: Telemetry,
  options: Pick<ConnectOptions, "transport" | "tls" | "balancing" | "resolvers">,
): Promise<Clients> {
  await using opening = new AsyncDisposableStack();
  const byTarget = new Map<string, Service>();
  const byName = new Map<string, Service>();
  const open = async (target: string): Promise<Channel> => opening.use(await connect(target, telemetry, options));
  for (const [name, target] of Object.entries(targets)) {
    const service = byTarget.get(target) ?? new Service(await open(target), await open(target));
    byTarget.set(target, service);
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
