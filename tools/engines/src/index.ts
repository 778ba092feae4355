export { createDatabase, type DatabaseOptions } from "./create-database.ts";
export { EngineError, type EngineErrorCode } from "./engine-error.ts";
export { type PostgresOptions, type PostgresServer, startPostgres } from "./start-postgres.ts";
export { type TestDatabase, testDatabase } from "./test-database.ts";
