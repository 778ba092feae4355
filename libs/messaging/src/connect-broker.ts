import type { Telemetry } from "@plumbline/telemetry";
import type { Broker } from "./broker.ts";
import type { KafkaOptions } from "./kafka/options.ts";
import { type MemoryBrokerOptions, openMemoryBroker } from "./memory/broker.ts";
import { openPostgresBroker, type PostgresBrokerOptions } from "./postgres/broker.ts";

/**
 * The choice of an adapter and the settings of each adapter. A service's code does not depend on
 * the choice.
 */
export interface BrokerOptions {
  readonly adapter: keyof typeof adapters;
  readonly memory?: MemoryBrokerOptions | undefined;
  readonly postgres?: PostgresBrokerOptions | undefined;
  readonly kafka?: KafkaOptions | undefined;
}

const adapters = {
  memory: async (options: BrokerOptions, telemetry: Telemetry): Promise<Broker> =>
    openMemoryBroker(options.memory, telemetry),
  postgres: async (options: BrokerOptions, telemetry: Telemetry): Promise<Broker> =>
    await openPostgresBroker(settingsOf("postgres", options.postgres), telemetry),
  kafka: async (options: BrokerOptions, telemetry: Telemetry): Promise<Broker> => {
    // Loaded only if it is chosen: the client takes 100 ms to load.
    const { openKafkaBroker } = await import("./kafka/broker.ts");
    return await openKafkaBroker(settingsOf("kafka", options.kafka), telemetry);
  },
} as const;

/** Opens the chosen adapter with its settings. Ignores the settings of the others. */
export async function connectBroker(options: BrokerOptions, telemetry: Telemetry): Promise<Broker> {
  return await adapters[options.adapter](options, telemetry);
}

function settingsOf<T>(adapter: string, settings: T | undefined): T {
  if (settings === undefined) throw new TypeError(`the messaging adapter "${adapter}" has no settings`);
  return settings;
}
