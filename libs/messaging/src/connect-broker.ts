import type { Telemetry } from "@plumbline/telemetry";
import type { Broker } from "./broker.ts";
import { type MemoryBrokerOptions, openMemoryBroker } from "./memory/open-memory-broker.ts";
import { openPostgresBroker, type PostgresBrokerOptions } from "./postgres/open-postgres-broker.ts";

/** Settings of every adapter and the choice of one, so that a service's code never knows which it is. */
export interface BrokerOptions {
  readonly adapter: "memory" | "postgres";
  readonly memory?: MemoryBrokerOptions | undefined;
  readonly postgres?: PostgresBrokerOptions | undefined;
}

/** Opens the chosen adapter with its settings; the others' are not looked at. */
export async function connectBroker(options: BrokerOptions, telemetry: Telemetry): Promise<Broker> {
  switch (options.adapter) {
    case "memory":
      return openMemoryBroker(options.memory, telemetry);
    case "postgres":
      return await openPostgresBroker(given("postgres", options.postgres), telemetry);
  }
}

function given<T>(adapter: string, settings: T | undefined): T {
  if (settings === undefined) throw new TypeError(`the adapter "${adapter}" was chosen and has no settings`);
  return settings;
}
