import type { Telemetry } from "@plumbline/telemetry";
import type { Broker } from "./broker.ts";
import type { KafkaOptions } from "./kafka/options.ts";
import { type MemoryBrokerOptions, openMemoryBroker } from "./memory/broker.ts";
import { openPostgresBroker, type PostgresBrokerOptions } from "./postgres/broker.ts";
import { grantOnPostgres } from "./postgres/grants.ts";
import type { Rights } from "./rights.ts";

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

/**
 * Lets the role or user of one service publish and consume what belongs to it. The options are
 * those of an administrator: the owner of the tables on Postgres, a user that may change ACLs on
 * Kafka. The adapter memory knows no users.
 */
export async function grantTopics(
  options: BrokerOptions,
  role: string,
  rights: Rights,
  telemetry: Telemetry,
): Promise<void> {
  if (options.adapter === "postgres") {
    await grantOnPostgres(settingsOf("postgres", options.postgres), role, rights, telemetry);
  }
  if (options.adapter === "kafka") {
    const { grantOnKafka } = await import("./kafka/grants.ts");
    await grantOnKafka(settingsOf("kafka", options.kafka), role, rights, telemetry.logger);
  }
}

function settingsOf<T>(adapter: string, settings: T | undefined): T {
  if (settings === undefined) throw new TypeError(`the messaging adapter "${adapter}" has no settings`);
  return settings;
}
