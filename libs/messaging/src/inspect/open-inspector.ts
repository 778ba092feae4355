import type { Telemetry } from "@plumbline/telemetry";
import type { Inspector } from "./inspector.ts";
import { openPostgresInspector } from "./postgres.ts";

export type InspectorOptions =
  | { readonly adapter: "postgres"; readonly url: string | { reveal(): string } }
  | { readonly adapter: "kafka"; readonly brokers: readonly string[] };

/** Throws `unavailable` when nothing answers, `failed_precondition` where a database is not one of the postgres adapter. */
export async function openInspector(options: InspectorOptions, telemetry: Telemetry): Promise<Inspector> {
  if (options.adapter === "postgres") return await openPostgresInspector(options.url, telemetry);
  // Loaded only where it is chosen: its client takes 100 ms to load.
  const { openKafkaInspector } = await import("./kafka.ts");
  return await openKafkaInspector(options.brokers, telemetry);
}
