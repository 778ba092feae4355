import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ServiceError } from "@plumbline/errors";
import type { Migration } from "./migrate.ts";

/** A migration that comes with a library, without the number that the service gives it. */
export type LibraryMigration = Omit<Migration, "id">;

/**
 * Reads the migrations of a folder: a file for each, `001-orders.sql`, in the order of their
 * numbers. Comment lines at the head of a file do not belong to the statements, so they may change.
 * A file that has nothing else stands for a library's migration: `003-outbox.sql` for
 * `library.outbox`.
 *
 * Throws `failed_precondition` for another name, a number that is missing or taken twice, and a
 * file without statements that no library knows.
 */
export function readMigrations(
  folder: string,
  library: Readonly<Record<string, LibraryMigration>> = {},
): readonly Migration[] {
  const files = readdirSync(folder).toSorted();
  return files.map((file, index) => {
    const [, number, title = ""] = /^(\d{3})-([a-z0-9-]+)\.sql$/.exec(file) ?? [];
    const expected = String(index + 1).padStart(3, "0");
    if (number !== expected) {
      throw broken(`${file} is not the next migration: expected ${expected}-NAME.sql in ${folder}`);
    }
    const sql = readFileSync(join(folder, file), "utf8").replace(/^(?:--.*\n)*/, "");
    const id = index + 1;
    if (sql.trim() !== "") return { id, name: title.replaceAll("-", "_"), sql };
    const given = Object.hasOwn(library, title) ? library[title] : undefined;
    if (given === undefined) throw broken(`${file} has no statements, and no library has a migration "${title}"`);
    return { id, ...given };
  });
}

function broken(message: string): ServiceError {
  return new ServiceError("failed_precondition", message, { reason: "MIGRATIONS_INVALID" });
}
