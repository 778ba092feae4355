/** A service's database and events. A separate entry, so that other services load no drivers. */
export { type ConsumeOptions, type Consumer, consume } from "./data/consume.ts";
export { type MigrateOptions, migrateData } from "./data/migrate-data.ts";
export { type BrokerSettings, openBroker } from "./data/open-broker.ts";
export { readServiceMigrations } from "./data/read-service-migrations.ts";
