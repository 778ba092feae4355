import type { Config } from "@plumbline/config";
import { followClientTls } from "@plumbline/rpc/settings";
import {
  followLiveSettings,
  openOps,
  openResolvers,
  runService,
  type ServiceContext,
  serveUntilStopped,
  version,
} from "@plumbline/service-defaults";
import { startTelemetry } from "@plumbline/telemetry";
import { createApp } from "./app.ts";
import { openAuditLog } from "./audit/audit-log.ts";
import { openAuth } from "./auth/open-auth.ts";
import { openClients } from "./clients.ts";
import { GatewayConfig, registry } from "./config.ts";
import { connectionPlaces } from "./http/connection-places.ts";
import { expressMessages } from "./http/express-messages.ts";
import { isIdle } from "./http/pipeline.ts";
import { recordRefusals } from "./http/refusals.ts";
import { openLimiter } from "./rate-limit/open-limiter.ts";
import { listen } from "./server.ts";
import { upstreamName } from "./upstream.ts";

/** Runs the gateway. Resources open in the order of the lines and close in reverse. */
async function main(config: Config<typeof GatewayConfig>, context: ServiceContext): Promise<void> {
  const { name } = context;
  const { upstreams, upstreamIds, transport, balancing, upstreamTls, http, drainMs, graceMs } = config;
  await using telemetry = startTelemetry({ service: name, version, ...config.telemetry });
  await using certificates = await followClientTls(upstreamTls, telemetry.logger);
  await using discovery = await openResolvers(Object.values(upstreams), config.discovery, telemetry.logger);
  await using clients = await openClients(upstreams, telemetry, {
    transport,
    balancing,
    resolvers: discovery.resolvers,
    tls: certificates?.current,
    ids: upstreamIds,
  });
  await using ops = await openOps(config.ops, clients.checks, telemetry);
  await using settings = await followLiveSettings(GatewayConfig, config, context, telemetry.logger);
  await using limiter = await openLimiter(config.rateLimit, telemetry, () => settings.current().rateLimit);
  const { caFile, issuer, off, ...auth } = config.auth;
  if (off) telemetry.logger.warn("auth.off is true: everybody who reaches this gateway may call everything");
  await using authorities = await followClientTls(caFile === undefined ? undefined : { caFile }, telemetry.logger);
  const ca = authorities && (() => authorities.current().ca);
  await using identity =
    issuer === undefined
      ? undefined
      : await openAuth({ ...auth, issuer, ca }, http.host, () => settings.current().auth.denied, telemetry);

  await using audit = openAuditLog(telemetry);

  const drain = new AbortController();
  const app = createApp({
    registry,
    upstreamFor: (protoPackage) => clients.get(upstreamName(protoPackage)),
    settings: settings.current,
    limiter,
    health: ops.health,
    drain: drain.signal,
    telemetry,
    version,
    trustProxy: http.trustProxy,
    trustTrace: http.trustTrace,
    hosts: http.hosts,
    auth: identity,
    audit,
  });
  await using server = await listen(app, {
    ...http,
    // One second is kept for the resources that close after the server.
    graceMs: graceMs - drainMs - 1_000,
    ...connectionPlaces(http, telemetry.metrics),
    isIdle,
    messages: expressMessages(app),
    refusals: recordRefusals(limiter, () => settings.current().rateLimit, telemetry),
  });
  // Streams end when the drain begins: their clients reconnect to another gateway.
  const service = { name, ops, port: server.port, transport, drainMs, onDrain: () => drain.abort() };
  await serveUntilStopped(service, telemetry, context);
}

await runService("gateway", GatewayConfig, main);
