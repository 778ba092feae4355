import { join } from "node:path";
import { type Migration, readMigrations } from "@plumbline/postgres";

/** The schema, step by step and forward only: a file of migrations/ for each step. */
export const migrations: readonly Migration[] = readMigrations(join(import.meta.dirname, "migrations"));
