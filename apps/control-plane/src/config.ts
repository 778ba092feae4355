import { durationMs } from "@plumbline/config";
import { serverSettings } from "@plumbline/rpc/settings";
import { serviceConfig, settings } from "@plumbline/service-defaults";
import { z } from "zod";

/** The settings of the control plane. In the environment `rpc.port` is CONTROL_PLANE_RPC_PORT. */
export const ControlPlaneConfig = serviceConfig({
  // Proxies call for no client, so there is no principal to believe.
  rpc: serverSettings({ port: 18_000, maxConnectionAgeGraceMs: 60_000 }).omit({ principalPeers: true }),
  ops: settings.ops({ port: 9469 }),
  telemetry: settings.telemetry(),
  routes: z.object({
    file: z
      .string()
      .min(1)
      .default("config/routes.yaml")
      .describe("source file: the document of listeners, clusters and routes; a change is sent to the proxies"),
    key: z
      .string()
      .min(1)
      .max(512)
      .default("plumbline/routes/control-plane.yaml")
      .describe("source etcd or consul: the key of that document"),
  }),
  discovery: settings.discovery(),
  xds: z.object({
    holdMs: durationMs(5_000).describe("the longest time that a route waits for a proxy to accept its clusters"),
    lingerMs: durationMs(30_000).describe("the time that a removed cluster stays at a proxy without routes to it"),
    settleMs: durationMs(500).describe(
      "the time in which a proxy checks a new cluster's health before it gets a route",
    ),
  }),
  ...settings.shutdown(),
});
