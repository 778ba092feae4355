export { createDatabase, type DatabaseOptions } from "./create-database.ts";
export { EngineError, type EngineErrorCode } from "./engine-error.ts";
export { freePort, freePorts } from "./free-ports.ts";
export { type KafkaBroker, type KafkaOptions, startKafka } from "./kafka/start-kafka.ts";
export { startTemporaryKafka, testKafka, whyNoKafka } from "./kafka/test-kafka.ts";
export { type PostgresOptions, type PostgresServer, startPostgres } from "./start-postgres.ts";
export { type TestDatabase, testDatabase } from "./test-database.ts";
export { startTestEngines, type TestEngines } from "./test-engines.ts";
