import { inboxMigration, outboxMigration } from "@plumbline/messaging";
import type { Migration } from "@plumbline/postgres";
import { fulfilments } from "./001-fulfilments.ts";

/** In order, forward only: what was applied anywhere is never changed. */
export const migrations: readonly Migration[] = [
  { id: 1, name: "fulfilments", sql: fulfilments },
  { id: 2, ...inboxMigration },
  { id: 3, ...outboxMigration },
];
