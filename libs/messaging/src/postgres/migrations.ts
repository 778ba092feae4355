import type { Migration } from "@plumbline/postgres";

/**
 * The schema of the adapter's database: a log per partition, and the position of each group in it.
 * A publisher locks the row with `next_offset` until it commits, so offsets become visible in order
 * and without gaps.
 */
export const migrations: readonly Migration[] = [
  {
    id: 1,
    name: "topics, messages and positions",
    sql: `
      CREATE TABLE topics (
        name text PRIMARY KEY,
        partitions integer NOT NULL CHECK (partitions BETWEEN 1 AND 1000),
        retention_ms bigint NOT NULL CHECK (retention_ms > 0)
      );
      CREATE TABLE partitions (
        topic text NOT NULL REFERENCES topics (name),
        partition integer NOT NULL,
        next_offset bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (topic, partition)
      ) WITH (fillfactor = 50);
      CREATE TABLE messages (
        topic text NOT NULL,
        partition integer NOT NULL,
        "offset" bigint NOT NULL,
        id text NOT NULL,
        source text NOT NULL,
        type text NOT NULL,
        key text NOT NULL,
        time timestamptz NOT NULL,
        content_type text NOT NULL,
        data bytea NOT NULL,
        headers jsonb NOT NULL,
        published_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (topic, partition, "offset")
      );
      CREATE TABLE consumer_groups (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic text NOT NULL REFERENCES topics (name),
        name text NOT NULL,
        UNIQUE (topic, name)
      );
      CREATE TABLE positions (
        group_id integer NOT NULL REFERENCES consumer_groups (id),
        partition integer NOT NULL,
        position bigint NOT NULL,
        PRIMARY KEY (group_id, partition)
      ) WITH (fillfactor = 50);
    `,
  },
];

/** Notifies that a topic has new messages. The payload is the topic's name. */
export const messagesChannel = "plumbline_messages";
/**
 * Notifies that a topic was created, or that the members of one of its groups changed. The payload
 * is the topic's name.
 */
export const membersChannel = "plumbline_members";
