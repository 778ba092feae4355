import { availableParallelism } from "node:os";
import { aborted, sleep } from "@plumbline/concurrency";
import { loadConfig, serviceSources } from "@plumbline/config";
import { descriptorSet } from "@plumbline/contracts";
import { Health, run, serveOps } from "@plumbline/lifecycle";
import { connectBroker, keepInbox, relayOutbox, subscribeWithRetries } from "@plumbline/messaging";
import { openDatabase } from "@plumbline/postgres";
import { serve } from "@plumbline/rpc";
import { startTelemetry } from "@plumbline/telemetry";
import { createApp } from "./app.ts";
import { WorkerConfig } from "./config.ts";
import { group, ordersTopic, retryDelaysMs } from "./event-messages.ts";
import { askSuppliersOverHttp } from "./fulfil/ask-suppliers.ts";
import { LabelThreads } from "./label/label-threads.ts";
import { migrateAll } from "./migrate.ts";
import { PostgresFulfilments } from "./postgres/fulfilments.ts";

const config = await loadConfig(WorkerConfig, serviceSources("worker"));
/** What is left of the grace once the drain is over, shared out to those who wait for running work. */
const closeMs = Math.max(0, config.graceMs - config.drainMs);

async function main(signal: AbortSignal): Promise<void> {
  await using telemetry = startTelemetry({ service: "worker", ...config.telemetry });
  const { metrics, logger, tracer } = telemetry;
  await using database = await openDatabase({ ...config.database, applicationName: "worker" }, telemetry);
  await using broker = await connectBroker(
    { adapter: config.messaging.adapter, postgres: { url: config.messaging.url, applicationName: "worker" } },
    telemetry,
  );
  if (process.argv[2] === "migrate") return await migrateAll(database, broker, logger);

  const { threads = availableParallelism(), timeoutMs } = config.label;
  // As many labels wait as orders are worked on, so that none is refused.
  await using labels = new LabelThreads({ threads, timeoutMs, queue: config.concurrency });
  const health = new Health({ database: database.ping, broker: (options) => broker.ping(options) });
  await using ops = await serveOps({ port: config.ops.port, health, metrics: () => metrics.text() });

  const app = createApp({
    askSuppliers: askSuppliersOverHttp(config.suppliers, telemetry),
    drawLabel: (content, options) => tracer.span("draw label", {}, () => labels.draw(content, options)),
    fulfilments: new PostgresFulfilments(database, tracer),
    clock: { now: () => new Date() },
  });

  const subscription = { group, concurrency: config.concurrency, retries: config.retries, retryDelaysMs };
  await using _inbox = await keepInbox(database, broker, { group, topics: [ordersTopic], retryDelaysMs }, telemetry);
  await using _relay = await relayOutbox(database, broker, { closeMs: closeMs * 0.1 }, telemetry);
  await using _orders = await subscribeWithRetries(
    broker,
    ordersTopic,
    { ...subscription, closeMs: closeMs * 0.6 },
    app.onOrderEvent,
    telemetry,
  );
  await using server = await serve(
    { ...config.rpc, graceMs: closeMs * 0.2 },
    { services: [app.service], health, telemetry, descriptors: descriptorSet },
  );

  health.ready();
  logger.info("worker is ready", { port: server.port, opsPort: ops.port });
  await aborted(signal);
  health.drain();
  await sleep(config.drainMs); // Load balancers need a moment to look away.
}

await run(main, { graceMs: config.graceMs });
