import type { Config } from "@plumbline/config";
import {
  openConfiguredResolvers,
  openOps,
  runService,
  type ServiceContext,
  serveRpc,
  serveUntilStopped,
  version,
} from "@plumbline/service-defaults";
import { startTelemetry } from "@plumbline/telemetry";
import { adsService } from "./ads/ads-service.ts";
import { createClients } from "./ads/clients.ts";
import { csdsService } from "./ads/csds-service.ts";
import { createPublisher } from "./ads/publisher.ts";
import { ControlPlaneConfig } from "./config.ts";
import { followRoutes } from "./follow-routes.ts";
import { descriptorSet } from "./gen/descriptors.ts";

/** The life of the process: resources open in the order of the lines and close in reverse. */
async function main(config: Config<typeof ControlPlaneConfig>, context: ServiceContext): Promise<void> {
  const { name, signal, notices } = context;
  await using telemetry = startTelemetry({ service: name, version, ...config.telemetry });
  if (notices !== undefined) notices.logger = telemetry.logger;
  const publisher = createPublisher();
  const clients = createClients();
  await using discovery = await openConfiguredResolvers(config.discovery, telemetry.logger);
  const document = context.document({ ...config.routes, name: "routes" });
  await using routes = await followRoutes(document, discovery.resolvers, publisher, telemetry);
  await using ops = await openOps(config.ops, { routes }, telemetry);
  await using server = await serveRpc(
    {
      services: [adsService({ publisher, clients }, config.xds, telemetry), csdsService(clients)],
      descriptors: descriptorSet,
      health: ops.health,
      telemetry,
    },
    // One second is reserved for what closes after the calls.
    { ...config.rpc, graceMs: config.graceMs - config.drainMs - 1_000 },
  );
  await serveUntilStopped(
    { name, ops, port: server.port, transport: config.rpc.transport, recycle: server.recycle, drainMs: config.drainMs },
    telemetry,
    { signal },
  );
}

await runService("control-plane", ControlPlaneConfig, main);
