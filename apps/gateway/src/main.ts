import { aborted, sleep } from "@plumbline/concurrency";
import { loadConfig, serviceSources } from "@plumbline/config";
import { Health, run, serveOps } from "@plumbline/lifecycle";
import { startTelemetry } from "@plumbline/telemetry";
import { createApp } from "./app.ts";
import { upstreamName } from "./bindings/packages.ts";
import { openClients } from "./clients.ts";
import { GatewayConfig, registry } from "./config.ts";
import { followSettings, liveSettings } from "./live-settings.ts";
import { listen } from "./server.ts";
import { version } from "./version.ts";

const sources = serviceSources("gateway");
const loading = loadConfig(GatewayConfig, sources);

async function main(signal: AbortSignal): Promise<void> {
  const config = await loading;
  await using telemetry = startTelemetry({ service: "gateway", version, ...config.telemetry });
  const { logger, metrics } = telemetry;
  await using clients = await openClients(config.upstreams, config.transport, telemetry);
  const health = new Health(clients.checks);
  await using _ops = await serveOps({ port: config.ops.port, health, metrics: () => metrics.text() });

  let settings = liveSettings(config);
  await using _settings = followSettings(GatewayConfig, sources, logger, (changed) => {
    settings = changed;
  });

  const drain = new AbortController();
  const app = createApp({
    registry,
    upstreamFor: (protoPackage) => clients.get(upstreamName(protoPackage)),
    settings: () => settings,
    health,
    drain: drain.signal,
    telemetry,
    version,
    trustProxy: config.http.trustProxy,
  });
  await using server = await listen(app, {
    ...config.http,
    graceMs: Math.max(0, config.graceMs - config.drainMs - 1000),
  });

  health.ready();
  logger.info("listening", { port: server.port });
  await aborted(signal);
  health.drain();
  drain.abort();
  await sleep(config.drainMs); // Load balancers need a moment to look away.
}

// Settings that are wrong are main's failure, which run prints; there is then nothing to wait for.
const graceMs = await loading.then(
  (config) => config.graceMs,
  () => 0,
);
await run(main, { graceMs });
