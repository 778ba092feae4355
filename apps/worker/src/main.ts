import { availableParallelism } from "node:os";
import { aborted, sleep } from "@plumbline/concurrency";
import { type Config, loadConfig, serviceSources } from "@plumbline/config";
import { descriptorSet, fulfilmentEvents, ordersEvents } from "@plumbline/contracts";
import { ServiceError } from "@plumbline/errors";
import { Health, run, serveOps } from "@plumbline/lifecycle";
import {
  connectBroker,
  relayOutbox,
  retryAndDeadLetterTopics,
  startInboxCleanup,
  subscribeWithRetries,
} from "@plumbline/messaging";
import { migrate, openDatabase, requireMigrated } from "@plumbline/postgres";
import { serve } from "@plumbline/rpc";
import { followServerTls } from "@plumbline/rpc/settings";
import { startTelemetry, type Telemetry } from "@plumbline/telemetry";
import { createApp } from "./app.ts";
import { WorkerConfig } from "./config.ts";
import { group } from "./event-messages.ts";
import { askSuppliersOverHttp } from "./fulfil/ask-suppliers.ts";
import { LabelThreads } from "./label/label-threads.ts";
import { PostgresFulfilments } from "./postgres/fulfilments.ts";
import { migrations } from "./postgres/migrations/index.ts";

type Settings = Config<typeof WorkerConfig>;

/** The life of the process: resources open in the order of the lines and close in reverse. */
async function main(config: Settings, signal: AbortSignal): Promise<void> {
  await using telemetry = startTelemetry({ service: "worker", ...config.telemetry });
  await using database = await openFulfilments(config, telemetry);
  await requireMigrated(database, migrations, { signal });
  await using broker = await openBroker(config, telemetry);
  await using labels = openLabels(config);
  labels.observe(telemetry);

  const health = new Health(
    { database: database.ping, broker: (options) => broker.ping(options) },
    { onFailure: (check, error) => telemetry.logger.warn("dependency not reached", { check, error: String(error) }) },
  );
  await using ops = await serveOps({ ...config.ops, health, metrics: (format) => telemetry.metrics.text(format) });

  const app = createApp({
    askSuppliers: askSuppliersOverHttp(config.suppliers, telemetry),
    drawLabel: (content, options) => telemetry.tracer.span("draw label", {}, () => labels.draw(content, options)),
    fulfilments: new PostgresFulfilments(database, telemetry.tracer),
    clock: { now: () => new Date() },
  });

  const { concurrency } = config;
  const { attempts, delaysMs: retryDelaysMs } = config.retries;
  const inbox = { group, topics: [ordersEvents.topic], retryDelaysMs, retentionMs: config.inbox.retentionMs };
  const closing = shares(config);
  await using _inbox = await startInboxCleanup(database, broker, telemetry, inbox);
  await using _relay = await relayOutbox(database, broker, telemetry, { ...config.relay, closeMs: closing.relayMs });
  await using _orders = await subscribeWithRetries(broker, ordersEvents.topic, app.onOrderEvent, telemetry, {
    group,
    concurrency,
    closeMs: closing.ordersMs,
    retryDelaysMs,
    retries: { attempts, baseMs: 200, maxMs: 2_000 },
  });
  await using certificates = await followServerTls(config.rpc.tls, telemetry.logger);
  await using server = await serve(
    { services: [app.service], descriptors: descriptorSet, health, telemetry },
    { ...config.rpc, tls: certificates?.current, graceMs: closing.callsMs },
  );

  health.ready();
  telemetry.logger.info("worker is listening", { port: server.port, opsPort: ops.port });
  await aborted(signal);
  health.drain();
  await sleep(config.drainMs); // Load balancers need a moment to look away.
}

/** Brings the database and the topics to what this version needs, and ends. Run it before a new version starts. */
async function prepare(config: Settings, signal: AbortSignal): Promise<void> {
  await using telemetry = startTelemetry({ service: "worker", ...config.telemetry });
  await using database = await openFulfilments(config, telemetry);
  const applied = await migrate(database, migrations, { signal });
  await using broker = await openBroker(config, telemetry);
  const { topic, partitions } = ordersEvents;
  const topics = [topic, fulfilmentEvents.topic, ...retryAndDeadLetterTopics(topic, group, config.retries.delaysMs)];
  await broker.createTopics(topics, { partitions, signal });
  telemetry.logger.info("worker is migrated", { applied, topics: topics.length });
}

function openFulfilments(config: Settings, telemetry: Telemetry) {
  return openDatabase({ ...config.database, applicationName: "worker" }, telemetry);
}

function openBroker({ messaging: { adapter, url }, kafka }: Settings, telemetry: Telemetry) {
  const postgres = url && { url, applicationName: "worker-messaging" };
  return connectBroker({ adapter, postgres, kafka: { ...kafka, clientId: "worker" } }, telemetry);
}

function openLabels({ label: { threads = availableParallelism(), timeoutMs }, concurrency }: Settings) {
  // As many labels may wait as orders are worked on: none is refused.
  return new LabelThreads({ threads, timeoutMs, queue: concurrency });
}

/** What is closed one after the other shares the time after the drain; the rest is for what closes at once. */
function shares({ drainMs, graceMs }: Settings) {
  const ms = graceMs - drainMs;
  return { callsMs: ms * 0.2, ordersMs: ms * 0.55, relayMs: ms * 0.1 };
}

const config = await loadConfig(WorkerConfig, serviceSources("worker")).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
if (config !== undefined) {
  const [command, ...rest] = process.argv.slice(2);
  await run(
    async (signal) => {
      if (command === undefined) return await main(config, signal);
      if (command === "migrate" && rest.length === 0) return await prepare(config, signal);
      throw new ServiceError("invalid_argument", 'worker takes no argument, or "migrate"');
    },
    { graceMs: config.graceMs },
  );
}
