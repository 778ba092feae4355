import type { Secret } from "@plumbline/config";
import { type Broker, type BrokerOptions, connectBroker } from "@plumbline/messaging";
import type { Telemetry } from "@plumbline/telemetry";

/** The sections of `settings.broker()`. */
export interface BrokerSettings {
  readonly messaging: { readonly adapter: BrokerOptions["adapter"]; readonly url?: Secret | undefined };
  readonly kafka: Omit<NonNullable<BrokerOptions["kafka"]>, "clientId">;
}

/** Opens the broker that a service's settings name. */
export async function openBroker(
  service: string,
  { messaging: { adapter, url }, kafka }: BrokerSettings,
  telemetry: Telemetry,
): Promise<Broker> {
  const postgres = url && { url, applicationName: `${service}-messaging` };
  return await connectBroker({ adapter, postgres, kafka: { ...kafka, clientId: service } }, telemetry);
}
