import { type Channel, type ConnectOptions, connect } from "@plumbline/rpc";
import type { Telemetry } from "@plumbline/telemetry";
import type { Upstream } from "./upstream.ts";

/** The services behind the gateway, by the names of their settings. Disposing closes every connection. */
export interface Clients extends AsyncDisposable {
  get(name: string): Upstream | undefined;
  /** One check per service: whether it was reached. */
  readonly checks: Readonly<Record<string, Channel["ready"]>>;
}

/** Opens a channel to each target; services with the same target share one. Nothing connects before the first call. */
export async function openClients(
  targets: Readonly<Record<string, string>>,
  how: Pick<ConnectOptions, "transport" | "tls">,
  telemetry: Telemetry,
): Promise<Clients> {
  await using opening = new AsyncDisposableStack();
  const byTarget = new Map<string, Channel>();
  const byName = new Map<string, Channel>();
  for (const [name, target] of Object.entries(targets)) {
    const channel = byTarget.get(target) ?? opening.use(await connect(target, telemetry, how));
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
