import { type Config, urlWithPassword } from "@plumbline/config";
import { descriptorSet } from "@plumbline/contracts";
import { accessRulesOf } from "@plumbline/contracts/access";
import { migrate, openDatabase, requireMigrated } from "@plumbline/postgres";
import {
  followLiveSettings,
  msAfterDrain,
  openOps,
  runService,
  type ServiceContext,
  serveRpc,
  serveUntilStopped,
  version,
} from "@plumbline/service-defaults";
import { startTelemetry } from "@plumbline/telemetry";
import { createApp } from "./app.ts";
import { SparePartConfig } from "./config.ts";
import { migrations } from "./postgres/migrations.ts";
import { PostgresSpareParts } from "./postgres/spare-parts.ts";

type Settings = Config<typeof SparePartConfig>;

/** The life of the process: resources open in the order of the lines and close in reverse. */
async function main(config: Settings, context: ServiceContext): Promise<void> {
  const { name, signal } = context;
  await using telemetry = startTelemetry({ service: name, version, ...config.telemetry });
  await using settings = await followLiveSettings(SparePartConfig, config, context, telemetry.logger);
  const url = settings.follow(({ database }) => urlWithPassword(database.url, database.password));
  await using database = await openDatabase({ ...config.database, url, applicationName: name }, telemetry);
  await requireMigrated(database, migrations, { signal });
  await using ops = await openOps(config.ops, { database }, telemetry);
  const app = createApp({ spareParts: new PostgresSpareParts(database) });
  await using server = await serveRpc(
    {
      services: [app.service],
      descriptors: descriptorSet,
      access: () => accessRulesOf(descriptorSet),
      health: ops.health,
      telemetry,
    },
    // One second is reserved for what closes after the calls.
    { ...config.rpc, graceMs: msAfterDrain(config) - 1_000 },
  );
  await serveUntilStopped({ name, ops, port: server.port, drainMs: config.drainMs, registered: config }, telemetry, {
    signal,
  });
}

/** Brings the database to what this version needs. */
async function migrateDatabase(config: Settings, { name, signal }: ServiceContext): Promise<void> {
  await using telemetry = startTelemetry({ service: name, version, ...config.telemetry });
  const url = urlWithPassword(config.database.url, config.database.password);
  await using database = await openDatabase({ ...config.database, url, applicationName: name }, telemetry);
  telemetry.logger.info(`${name} is migrated`, { applied: await migrate(database, migrations, { signal }) });
}

await runService("spare-part", SparePartConfig, main, { migrate: migrateDatabase });
