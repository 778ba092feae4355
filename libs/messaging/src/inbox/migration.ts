/**
 * The migration that creates the inbox. A service adds it to its own with an id: `{ id: 3,
 * ...inboxMigration }`.
 */
export const inboxMigration = {
  name: "inbox",
  sql: `
    CREATE TABLE inbox (
      "group" text NOT NULL,
      source text NOT NULL,
      id text NOT NULL,
      handled_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY ("group", source, id)
    );
    CREATE INDEX inbox_handled_at ON inbox (handled_at);
  `,
} as const;
