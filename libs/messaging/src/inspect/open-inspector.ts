import type { Telemetry } from "@plumbline/telemetry";
import type { KafkaOptions } from "../kafka/options.ts";
import type { Inspector } from "./inspector.ts";
import { openPostgresInspector } from "./postgres.ts";

export type InspectorOptions =
  | { readonly adapter: "postgres"; readonly url: string | { reveal(): string } }
  | ({ readonly adapter: "kafka" } & Pick<KafkaOptions, "brokers" | "client" | "sasl">);

/**
 * Opens a reader of a broker. Rejects with `unavailable` if the engine is unreachable, and with
 * `failed_precondition` if a database is not one of the postgres adapter.
 */
export async function openInspector(options: InspectorOptions, telemetry: Telemetry): Promise<Inspector> {
  if (options.adapter === "postgres") return await openPostgresInspector(options.url, telemetry);
  // Loaded only if it is chosen: the client takes 100 ms to load.
  const { openKafkaInspector } = await import("./kafka.ts");
  return await openKafkaInspector(options, telemetry);
}
