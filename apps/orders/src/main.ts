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
import { createApp, newOrderId, systemClock } from "./app.ts";
import { OrdersConfig } from "./config.ts";
import { group } from "./event-messages.ts";
import { OrderWatchers } from "./order-watchers.ts";
import { followChanges } from "./postgres/changes.ts";
import { PostgresInbox } from "./postgres/inbox.ts";
import { keepIdempotencyKeys } from "./postgres/keep-idempotency-keys.ts";
import { migrations } from "./postgres/migrations/index.ts";
import { PostgresOrders } from "./postgres/orders.ts";

type Settings = Config<typeof OrdersConfig>;

/** The life of the process: resources open in the order of the lines and close in reverse. */
async function main(config: Settings, signal: AbortSignal): Promise<void> {
  await using telemetry = startTelemetry({ service: "orders", ...config.telemetry });
  await using database = await openOrders(config, telemetry);
  await requireMigrated(database, migrations, { signal });
  await using broker = await openBroker(config, telemetry);

  const health = new Health(
    { database: database.ping, broker: (options) => broker.ping(options) },
    { onFailure: (check, error) => telemetry.logger.warn("dependency not reached", { check, error: String(error) }) },
  );
  await using ops = await serveOps({ ...config.ops, health, metrics: (format) => telemetry.metrics.text(format) });

  const watchers = new OrderWatchers(config.watch.maxWatchers, telemetry);
  const app = createApp(
    {
      orders: new PostgresOrders(database, telemetry),
      inbox: new PostgresInbox(database, telemetry),
      changes: watchers,
      clock: systemClock,
      newOrderId,
    },
    { watchMaxAgeMs: config.watch.maxAgeMs },
  );

  const { concurrency } = config;
  const { attempts, delaysMs: retryDelaysMs } = config.retries;
  const inbox = { group, topics: [fulfilmentEvents.topic], retryDelaysMs, retentionMs: config.inbox.retentionMs };
  const closing = shares(config);
  await using _keys = keepIdempotencyKeys(database, config.idempotency, telemetry);
  await using _inbox = await startInboxCleanup(database, broker, telemetry, inbox);
  await using _changes = await followChanges(database, watchers);
  await using _relay = await relayOutbox(database, broker, telemetry, { ...config.relay, closeMs: closing.relayMs });
  await using _answers = await subscribeWithRetries(broker, fulfilmentEvents.topic, app.onFulfilmentEvent, telemetry, {
    group,
    concurrency,
    closeMs: closing.answersMs,
    retryDelaysMs,
    retries: { attempts, baseMs: 50, maxMs: 2_000 },
  });
  await using certificates = await followServerTls(config.rpc.tls, telemetry.logger);
  await using server = await serve(
    { services: [app.service], descriptors: descriptorSet, health, telemetry },
    { ...config.rpc, tls: certificates?.current, graceMs: closing.callsMs },
  );

  health.ready();
  telemetry.logger.info("orders is listening", { port: server.port, opsPort: ops.port });
  await aborted(signal);
  health.drain();
  await sleep(config.drainMs); // Load balancers need a moment to look away.
}

/** Brings the database and the topics to what this version needs, and ends. Run it before a new version starts. */
async function prepare(config: Settings, signal: AbortSignal): Promise<void> {
  await using telemetry = startTelemetry({ service: "orders", ...config.telemetry });
  await using database = await openOrders(config, telemetry);
  const applied = await migrate(database, migrations, { signal });
  await using broker = await openBroker(config, telemetry);
  const { topic, partitions } = fulfilmentEvents;
  const topics = [ordersEvents.topic, topic, ...retryAndDeadLetterTopics(topic, group, config.retries.delaysMs)];
  await broker.createTopics(topics, { partitions, signal });
  telemetry.logger.info("orders is migrated", { applied, topics: topics.length });
}

function openOrders(config: Settings, telemetry: Telemetry) {
  return openDatabase({ ...config.database, applicationName: "orders" }, telemetry);
}

function openBroker({ messaging: { adapter, url }, kafka }: Settings, telemetry: Telemetry) {
  const postgres = url && { url, applicationName: "orders-messaging" };
  return connectBroker({ adapter, postgres, kafka: { ...kafka, clientId: "orders" } }, telemetry);
}

/** What is closed one after the other shares the time after the drain; the rest is for what closes at once. */
function shares({ drainMs, graceMs }: Settings) {
  const ms = graceMs - drainMs;
  return { callsMs: ms * 0.5, answersMs: ms * 0.2, relayMs: ms * 0.2 };
}

const config = await loadConfig(OrdersConfig, serviceSources("orders")).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
if (config !== undefined) {
  const [command, ...rest] = process.argv.slice(2);
  await run(
    async (signal) => {
      if (command === undefined) return await main(config, signal);
      if (command === "migrate" && rest.length === 0) return await prepare(config, signal);
      throw new ServiceError("invalid_argument", 'orders takes no argument, or "migrate"');
    },
    { graceMs: config.graceMs },
  );
}
