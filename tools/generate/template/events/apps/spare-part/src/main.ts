import { type Config, urlWithPassword } from "@plumbline/config";
import { descriptorSet, ordersEvents, sparePartsEvents } from "@plumbline/contracts";
import { accessRulesOf } from "@plumbline/contracts/access";
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
import { SparePartConfig } from "./config.ts";
import { migrations } from "./postgres/migrations.ts";
import { PostgresSpareParts } from "./postgres/spare-parts.ts";

/** The life of the process: resources open in the order of the lines and close in reverse. */
async function main(config: Config<typeof SparePartConfig>, context: ServiceContext): Promise<void> {
  const { name, signal } = context;
  await using telemetry = startTelemetry({ service: name, version, ...config.telemetry });
  await using settings = await followLiveSettings(SparePartConfig, config, context, telemetry.logger);
  const url = settings.follow(({ database }) => urlWithPassword(database.url, database.password));
  await using database = await openDatabase({ ...config.database, url, applicationName: name }, telemetry);
  await requireMigrated(database, migrations, { signal });
  await using broker = await openBroker(name, config, telemetry, settings);
  await using ops = await openOps(config.ops, { database, broker }, telemetry);

  const app = createApp({ spareParts: new PostgresSpareParts(database, telemetry.tracer) });
  const handler = app.onOrderEvent(telemetry);
  const grace = splitGracePeriod(config, { calls: 0.4, events: 0.3, relay: 0.1 });

  await using _events = await consume(
    { database, broker, topic: ordersEvents.topic, group: name, handler, health: ops.health },
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
    },
    { ...config.rpc, graceMs: grace.calls },
  );
  await serveUntilStopped({ name, ops, port: server.port, drainMs: config.drainMs, registered: config }, telemetry, {
    signal,
  });
}

await runService("spare-part", SparePartConfig, main, {
  migrate: migrateData({ migrations, publishes: sparePartsEvents, consumes: ordersEvents }),
});
