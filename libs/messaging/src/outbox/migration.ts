/** To be given an id among the service's own migrations: `{ id: 2, ...outboxMigration }`. */
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

/** Notified by the commit that adds a row. */
export const outboxChannel = "plumbline_outbox";
