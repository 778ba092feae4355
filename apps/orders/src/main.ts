import { type Config, urlWithPassword } from "@plumbline/config";
import { descriptorSet, fulfilmentEvents, ordersEvents } from "@plumbline/contracts";
import { accessRulesOf } from "@plumbline/contracts/access";
import { followFlags } from "@plumbline/flags";
import { openDatabase, requireMigrated } from "@plumbline/postgres";
import {
  followLiveSettings,
  openOps,
  runService,
  type ServiceContext,
  serveRpc,
  serveUntilStopped,
  splitGracePeriod,
  version,
} from "@plumbline/service-defaults";
import { consume, migrateData, openBroker } from "@plumbline/service-defaults/data";
import { startTelemetry } from "@plumbline/telemetry";
import { createApp } from "./app.ts";
import { OrdersConfig } from "./config.ts";
import { followChanges } from "./postgres/changes.ts";
import { startIdempotencyKeyCleanup } from "./postgres/idempotency-key-cleanup.ts";
import { PostgresInbox } from "./postgres/inbox.ts";
import { migrations } from "./postgres/migrations.ts";
import { PostgresOrders } from "./postgres/orders.ts";
import { followPending } from "./postgres/pending-counts.ts";
import { rolloutsOf } from "./rollouts.ts";
import { weights } from "./rpc/weights.ts";
import { OrderWatchers } from "./watchers/order-watchers.ts";

/** The life of the process: resources open in the order of the lines and close in reverse. */
async function main(config: Config<typeof OrdersConfig>, context: ServiceContext): Promise<void> {
  const { name, signal } = context;
  await using telemetry = startTelemetry({ service: name, version, ...config.telemetry });
  await using settings = await followLiveSettings(OrdersConfig, config, context, telemetry.logger);
  const url = settings.follow(({ database }) => urlWithPassword(database.url, database.password));
  await using database = await openDatabase({ ...config.database, url, applicationName: name }, telemetry);
  await requireMigrated(database, migrations, { signal });
  await using broker = await openBroker(name, config, telemetry, settings);
  await using ops = await openOps(config.ops, { database, broker }, telemetry);

  await using flags = await followFlags(context.flags, telemetry);

  const watchers = new OrderWatchers(config.watch.maxWatchers, telemetry);
  await using pending = followPending(database, telemetry);
  const orders = new PostgresOrders(database, telemetry, pending.current);
  const inbox = new PostgresInbox(database, telemetry);
  const rollouts = rolloutsOf(flags);
  const app = createApp({ orders, inbox, changes: watchers, settings: settings.current, rollouts }, telemetry);
  const grace = splitGracePeriod(config, { calls: 0.5, events: 0.2, relay: 0.2 });
  await using _cleanup = startIdempotencyKeyCleanup(database, config.idempotency, telemetry);
  await using _changes = await followChanges(database, watchers);
  await using _events = await consume(
    {
      database,
      broker,
      topic: fulfilmentEvents.topic,
      group: name,
      handler: app.onFulfilmentEvent,
      health: ops.health,
    },
    telemetry,
    { ...config, grace, backoff: { baseMs: 50, maxMs: 2_000 } },
  );
  await using server = await serveRpc(
    {
      services: [app.service],
      descriptors: descriptorSet,
      access: () => accessRulesOf(descriptorSet),
      health: ops.health,
      telemetry,
      weights,
    },
    { ...config.rpc, graceMs: grace.calls },
  );
  await serveUntilStopped(
    { name, ops, port: server.port, recycle: server.recycle, drainMs: config.drainMs, registered: config },
    telemetry,
    { signal },
  );
}

await runService("orders", OrdersConfig, main, {
  migrate: migrateData({ migrations, publishes: ordersEvents, consumes: fulfilmentEvents }),
});
