export type { DatabaseUrl, FollowedUrl } from "./credentials.ts";
export {
  type Database,
  type DatabaseOptions,
  openDatabase,
  type TransactionOptions,
} from "./database.ts";
export { isConflict, isUniqueViolation, sqlStateOf } from "./errors.ts";
export type { Listener, ListenOptions } from "./listen-hub.ts";
export { type MigrateOptions, type Migration, migrate } from "./migrate.ts";
export type { Notification } from "./notification-queue.ts";
export type { Queryable, QueryOptions } from "./queryable.ts";
export { type LibraryMigration, readMigrations } from "./read-migrations.ts";
export { requireMigrated } from "./require-migrated.ts";
export type { Session } from "./session.ts";
export type { Isolation, NamedStatement, Transaction } from "./transaction.ts";
