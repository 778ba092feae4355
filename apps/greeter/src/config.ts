import { serverSettings } from "@plumbline/rpc/settings";
import { serviceConfig, settings } from "@plumbline/service-defaults";

/** The settings of greeter. In the environment `rpc.port` is GREETER_RPC_PORT. */
export const GreeterConfig = serviceConfig({
  rpc: serverSettings({ port: 50_051, maxConnectionAgeGraceMs: 60_000 }),
  registration: settings.registration(),
  ops: settings.ops({ port: 9465 }),
  telemetry: settings.telemetry(),
  ...settings.shutdown(),
});
