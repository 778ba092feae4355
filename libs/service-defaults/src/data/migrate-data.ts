import { type Secret, urlWithPassword } from "@plumbline/config";
import { retryAndDeadLetterTopics, rightsOf } from "@plumbline/messaging";
import { type DatabaseOptions, type Migration, migrate, openDatabase } from "@plumbline/postgres";
import { startTelemetry, type TelemetryOptions } from "@plumbline/telemetry";
import type { ServiceContext } from "../run-service.ts";
import { version } from "../version.ts";
import { type BrokerSettings, grantToRole, openBroker } from "./open-broker.ts";

interface Topic {
  readonly topic: string;
  readonly partitions: number;
}

export interface MigrateOptions {
  readonly migrations: readonly Migration[];
  /** The topic that the service writes. */
  readonly publishes: Topic;
  /** The topic that the service reads. Its retry and dead-letter topics are created too. */
  readonly consumes: Topic;
}

interface MigrateSettings extends BrokerSettings {
  readonly telemetry: Omit<TelemetryOptions, "service">;
  readonly database: Pick<DatabaseOptions, "poolSize"> & {
    readonly url: Secret;
    readonly password?: Secret | undefined;
  };
  readonly retries: { readonly delaysMs: readonly number[] };
}

/**
 * Returns the work of a service's argument `migrate`: brings the database and the topics to what
 * this version needs, and gives the role of `messaging.role` the right to use these topics. Run it
 * before a version starts. A database that a later version has migrated stays as it is, so that a
 * rollback starts.
 */
export function migrateData({ migrations, publishes, consumes }: MigrateOptions) {
  return async (config: MigrateSettings, { name, signal }: ServiceContext): Promise<void> => {
    await using telemetry = startTelemetry({ service: name, version, ...config.telemetry });
    const { poolSize } = config.database;
    const url = urlWithPassword(config.database.url, config.database.password);
    await using database = await openDatabase({ url, poolSize, applicationName: name }, telemetry);
    const applied = await migrate(database, migrations, {
      signal,
      allowNewer: true,
      onWait: (holder) => telemetry.logger.warn("waiting for another migrator", { holder }),
    });
    await using broker = await openBroker(name, config, telemetry);
    const { topic, partitions } = consumes;
    const consumed = [topic, ...retryAndDeadLetterTopics(topic, name, config.retries.delaysMs)];
    await broker.createTopics([publishes.topic], { partitions: publishes.partitions, signal });
    await broker.createTopics(consumed, { partitions, signal });
    const retryDelaysMs = config.retries.delaysMs;
    const declared = { publishes: publishes.topic, consumes: { topic, group: name }, retryDelaysMs };
    await grantToRole(name, config, rightsOf(declared), telemetry);
    telemetry.logger.info(`${name} is migrated`, { applied, topics: consumed.length + 1 });
  };
}
