import type { Secret } from "@plumbline/config";
import { type Broker, type BrokerOptions, connectBroker } from "@plumbline/messaging";
import type { Telemetry } from "@plumbline/telemetry";
import type { Followed } from "../live-settings.ts";

/** The sections of `settings.broker()`. */
export interface BrokerSettings {
  readonly messaging: { readonly adapter: BrokerOptions["adapter"]; readonly url?: Secret | undefined };
  readonly kafka: Omit<NonNullable<BrokerOptions["kafka"]>, "clientId">;
}

/** Settings that change while the service runs, from `followLiveSettings`. */
interface LiveBrokerSettings {
  follow<T>(select: (config: BrokerSettings) => T): Followed<T>;
}

/** Opens the broker that a service's settings name. With `live` it follows their secrets. */
export async function openBroker(
  service: string,
  { messaging: { adapter, url }, kafka }: BrokerSettings,
  telemetry: Telemetry,
  live?: LiveBrokerSettings,
): Promise<Broker> {
  const postgres = url && {
    url: live?.follow(({ messaging }) => messaging.url ?? url) ?? url,
    applicationName: `${service}-messaging`,
  };
  return await connectBroker({ adapter, postgres, kafka: { ...kafka, clientId: service } }, telemetry);
}
