import { inboxMigration, outboxMigration } from "@plumbline/messaging";
import type { Migration } from "@plumbline/postgres";
import { orders } from "./001-orders.ts";
import { idempotencyKeys } from "./002-idempotency-keys.ts";

/** The schema, step by step, forward only. As text in modules, so that a bundle is one file. */
export const migrations: readonly Migration[] = [
  { id: 1, name: "orders", sql: orders },
  { id: 2, name: "idempotency_keys", sql: idempotencyKeys },
  { id: 3, ...outboxMigration },
  { id: 4, ...inboxMigration },
];
