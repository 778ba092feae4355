import { serverSettings } from "@plumbline/rpc/settings";
import { serviceConfig, settings } from "@plumbline/service-defaults";

/** The settings of spare-part. In the environment `database.url` is SPARE_PART_DATABASE_URL. */
export const SparePartConfig = serviceConfig({
  rpc: serverSettings({ port: __PORT__, maxConnectionAgeGraceMs: 60_000 }),
  registration: settings.registration(),
  ops: settings.ops({ port: __OPS_PORT__ }),
  database: settings.database(),
  telemetry: settings.telemetry(),
  ...settings.shutdown(),
});
