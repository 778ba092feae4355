import { readServiceMigrations } from "@plumbline/service-defaults/data";

/** The schema, step by step and forward only: a file of migrations/ for each step. */
export const migrations = readServiceMigrations(import.meta.dirname);
