import { count } from "@plumbline/config";
import { serverSettings } from "@plumbline/rpc/settings";
import { serviceConfig, settings } from "@plumbline/service-defaults";

/** The settings of spare-part. In the environment `database.url` is SPARE_PART_DATABASE_URL. */
export const SparePartConfig = serviceConfig({
  rpc: serverSettings({ port: __PORT__, maxConnectionAgeGraceMs: 60_000 }),
  registration: settings.registration(),
  ops: settings.ops({ port: __OPS_PORT__ }),
  database: settings.database(),
  ...settings.broker(),
  concurrency: count(16, 1_000).describe("events handled at once"),
  retries: settings.retries(),
  relay: settings.relay(),
  inbox: settings.inbox(),
  telemetry: settings.telemetry(),
  ...settings.shutdown(),
});
