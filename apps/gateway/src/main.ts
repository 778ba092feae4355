import { aborted, sleep } from "@plumbline/concurrency";
import type { Config } from "@plumbline/config";
import { Health, serveOps } from "@plumbline/lifecycle";
import { followClientTls } from "@plumbline/rpc/settings";
import { runService, type ServiceContext } from "@plumbline/service-defaults";
import { startTelemetry } from "@plumbline/telemetry";
import { createApp } from "./app.ts";
import { openClients } from "./clients.ts";
import { GatewayConfig, registry } from "./config.ts";
import { expressMessages } from "./http/express-messages.ts";
import { followSettings, liveSettings } from "./live-settings.ts";
import { openLimiter } from "./rate-limit/open-limiter.ts";
import { listen } from "./server.ts";
import { upstreamName } from "./upstream.ts";
import { version } from "./version.ts";

/** Runs the gateway. Resources open in the order of the lines and close in reverse. */
async function main(config: Config<typeof GatewayConfig>, { signal, sources }: ServiceContext): Promise<void> {
  await using telemetry = startTelemetry({ service: "gateway", version, ...config.telemetry });
  const { logger, metrics } = telemetry;
  const { upstreams, transport, upstreamTls } = config;
  await using certificates = await followClientTls(upstreamTls, logger);
  await using clients = await openClients(upstreams, telemetry, { transport, tls: certificates?.current });
  const health = new Health(clients.checks, {
    onFailure: (check, error) => logger.warn("dependency not reached", { check, error: String(error) }),
  });
  await using ops = await serveOps({ ...config.ops, health, metrics: (format) => metrics.text(format) });

  await using limiter = await openLimiter(config.rateLimit, telemetry);

  let settings = liveSettings(config);
  await using _settings = followSettings(GatewayConfig, sources, logger, (changed) => {
    settings = changed;
  });

  const drain = new AbortController();
  const app = createApp({
    registry,
    upstreamFor: (protoPackage) => clients.get(upstreamName(protoPackage)),
    settings: () => settings,
    limiter,
    health,
    drain: drain.signal,
    telemetry,
    version,
    trustProxy: config.http.trustProxy,
  });
  // One second is kept for the resources that close after the server.
  await using server = await listen(app, {
    ...config.http,
    graceMs: config.graceMs - config.drainMs - 1_000,
    messages: expressMessages(app),
  });

  health.ready();
  logger.info("gateway is listening", { port: server.port, opsPort: ops.port });
  await aborted(signal);
  health.drain();
  drain.abort(); // Streams end now: their clients reconnect to another gateway.
  await sleep(config.drainMs); // Load balancers need time to notice.
}

await runService("gateway", GatewayConfig, main);
