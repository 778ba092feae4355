import { join } from "node:path";
import { inboxMigration, outboxMigration } from "@plumbline/messaging";
import { type Migration, readMigrations } from "@plumbline/postgres";

/**
 * Reads the migrations beside a module: the folder `migrations` in `folder`, which is the module's
 * `import.meta.dirname`. A build copies it beside the bundle. `NNN-outbox.sql` and `NNN-inbox.sql`
 * stand for the tables of libs/messaging.
 */
export function readServiceMigrations(folder: string): readonly Migration[] {
  return readMigrations(join(folder, "migrations"), { outbox: outboxMigration, inbox: inboxMigration });
}
