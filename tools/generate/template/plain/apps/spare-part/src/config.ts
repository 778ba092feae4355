import { serverSettings } from "@plumbline/rpc/settings";
import { serviceConfig, settings } from "@plumbline/service-defaults";

/** The settings of spare-part. In the environment `rpc.port` is SPARE_PART_RPC_PORT. */
export const SparePartConfig = serviceConfig({
  rpc: serverSettings({ port: __PORT__, maxConnectionAgeGraceMs: 60_000 }),
  registration: settings.registration(),
  ops: settings.ops({ port: __OPS_PORT__ }),
  telemetry: settings.telemetry(),
  ...settings.shutdown(),
});
