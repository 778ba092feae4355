import type { Broker } from "@plumbline/messaging";
import { type Database, migrate } from "@plumbline/postgres";
import type { Logger } from "@plumbline/telemetry";
import { partitions, topics } from "./event-messages.ts";
import { migrations } from "./postgres/migrations/index.ts";

/** Brings the database up to date and creates the topics this service reads and writes. Safe to repeat. */
export async function migrateAll(database: Database, broker: Broker, logger: Logger): Promise<void> {
  const applied = await migrate(database, migrations);
  await broker.createTopics(topics, { partitions });
  logger.info("migrated", { applied, topics });
}
