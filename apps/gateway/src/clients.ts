import { type Channel, type ConnectOptions, connect } from "@plumbline/rpc";
import type { Telemetry } from "@plumbline/telemetry";
import type { Upstream } from "./upstream.ts";

/**
 * The channels to the services, by the names of their settings. Disposing closes every connection.
 */
export interface Clients extends AsyncDisposable {
  get(name: string): Upstream | undefined;
  /** One readiness check per service. It resolves once the service was reached. */
  readonly checks: Readonly<Record<string, Channel["ready"]>>;
}

/**
 * Opens a channel to each target. Services with the same target share one. Each connects with its
 * first call.
 */
export async function openClients(
  targets: Readonly<Record<string, string>>,
  telemetry: Telemetry,
  options: Pick<ConnectOptions, "transport" | "tls" | "balancing" | "resolvers">,
): Promise<Clients> {
  await using opening = new AsyncDisposableStack();
  const byTarget = new Map<string, Channel>();
  const byName = new Map<string, Channel>();
  for (const [name, target] of Object.entries(targets)) {
    const channel = byTarget.get(target) ?? opening.use(await connect(target, telemetry, options));
    byTarget.set(target, channel);
    byName.set(name, channel);
  }
  const opened = opening.move();
  return {
    get: (name) => byName.get(name),
    checks: Object.fromEntries([...byName].map(([name, channel]) => [name, (options) => channel.ready(options)])),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
