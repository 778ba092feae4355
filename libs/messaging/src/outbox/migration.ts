/**
 * The migration that creates the outbox. A service adds it to its own with an id: `{ id: 2,
 * ...outboxMigration }`.
 */
export const outboxMigration = {
  name: "outbox",
  sql: `
    CREATE TABLE outbox (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      topic text NOT NULL,
      message_id text NOT NULL,
      source text NOT NULL,
      type text NOT NULL,
      key text NOT NULL,
      time timestamptz NOT NULL,
      content_type text NOT NULL,
      data bytea NOT NULL,
      headers jsonb NOT NULL,
      created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      -- Why the broker will never take it: left here for a person.
      refused text
    );
  `,
} as const;

/** The channel that the commit of a new row notifies while the relay sleeps. */
export const outboxChannel = "plumbline_outbox";

/**
 * The advisory lock that the active relay holds while it sleeps. A transaction that stores a row
 * tries it, shared. If the relay has it, the commit must notify. If not, the relay cannot sleep
 * before the transaction has ended, and reads once more before it does.
 */
export const asleepLock = "hashtextextended('plumbline.outbox.asleep', 0)";
