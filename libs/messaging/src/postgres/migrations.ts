import type { Migration } from "@plumbline/postgres";

/**
 * The schema of the adapter's database: a log per partition, the position of each group in it, and
 * which role may publish and consume what. Its owner may do everything. Other roles write messages
 * through a function alone, and see the rows of their own subscriptions (`grantOnPostgres`).
 *
 * Rights belong to the role that logged in, or to one that it is a member of. So two roles that
 * take turns have the rights of the one that both are members of.
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
  {
    id: 2,
    name: "publishers and consumers",
    sql: `
      CREATE TABLE publishers (
        topic text NOT NULL,
        role regrole NOT NULL,
        PRIMARY KEY (topic, role)
      );
      CREATE TABLE consumers (
        topic text NOT NULL,
        group_name text NOT NULL,
        role regrole NOT NULL,
        PRIMARY KEY (topic, group_name, role)
      );

      -- Appends messages in one statement. The rows of "partitions" stay locked until the commit,
      -- and the next publisher gets its offsets only then. Offset order is therefore commit order,
      -- and a reader that has seen an offset has seen all lower ones. A sequence would not do: a
      -- late commit would appear behind a reader that has passed it. Rows are locked in the order
      -- of their numbers, so that two batches cannot deadlock.
      CREATE FUNCTION publish_messages(
        given_topic text, given_partitions int[], given_ids text[], given_sources text[], given_types text[],
        given_keys text[], given_times timestamptz[], given_content_types text[], given_data bytea[],
        given_headers text[]
      ) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
          -- Here current_user is the owner of this function.
          IF NOT pg_has_role(session_user, current_user, 'MEMBER') AND NOT EXISTS (
            SELECT FROM publishers AS p WHERE p.topic = given_topic AND pg_has_role(session_user, p.role::oid, 'MEMBER')
          ) THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
              MESSAGE = format('the role "%s" must not publish to the topic "%s"', session_user, given_topic);
          END IF;
          WITH incoming AS MATERIALIZED (
            SELECT * FROM unnest(given_partitions, given_ids, given_sources, given_types, given_keys, given_times,
                given_content_types, given_data, given_headers)
              WITH ORDINALITY AS t (partition, id, source, type, key, time, content_type, data, headers, place)
          ), wanted AS (
            SELECT partition, count(*) AS messages FROM incoming GROUP BY partition
          ), locked AS MATERIALIZED (
            SELECT partition, next_offset FROM partitions
            WHERE topic = given_topic AND partition IN (SELECT partition FROM wanted)
            ORDER BY partition FOR UPDATE
          ), moved AS (
            UPDATE partitions SET next_offset = locked.next_offset + wanted.messages
            FROM locked JOIN wanted USING (partition)
            WHERE partitions.topic = given_topic AND partitions.partition = locked.partition
          )
          INSERT INTO messages (topic, partition, "offset", id, source, type, key, time, content_type, data, headers)
          SELECT given_topic, partition, next_offset + row_number() OVER (PARTITION BY partition ORDER BY place) - 1,
            id, source, type, key, time, content_type, data, headers::jsonb
          FROM incoming JOIN locked USING (partition);
          PERFORM pg_notify('plumbline_messages', given_topic);
        END
      $$;

      -- Deletes up to 1,000 messages that are older than their topic's retention, and returns their
      -- number, or 0 while another session does so. A partition's oldest messages have its lowest
      -- offsets. The primary key finds them, so the time needs no index.
      CREATE FUNCTION delete_expired_messages() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$
        DECLARE deleted integer;
        BEGIN
          IF NOT pg_try_advisory_xact_lock(hashtextextended('plumbline.messaging.sweep', 0)) THEN RETURN 0; END IF;
          DELETE FROM messages USING (
            SELECT oldest.topic, oldest.partition, oldest."offset"
            FROM partitions JOIN topics ON topics.name = partitions.topic,
              LATERAL (
                SELECT * FROM messages AS m
                WHERE m.topic = partitions.topic AND m.partition = partitions.partition
                ORDER BY m."offset" LIMIT 1000
              ) AS oldest
            WHERE oldest.published_at < now() - make_interval(secs => topics.retention_ms / 1000.0)
            LIMIT 1000
          ) AS old
          WHERE (messages.topic, messages.partition, messages."offset") = (old.topic, old.partition, old."offset");
          GET DIAGNOSTICS deleted = ROW_COUNT;
          RETURN deleted;
        END
      $$;

      REVOKE ALL ON FUNCTION publish_messages, delete_expired_messages FROM PUBLIC;
      -- Without this the caller's search path, or its temporary tables, would choose the tables.
      DO $$ BEGIN
        EXECUTE format('ALTER FUNCTION publish_messages SET search_path = pg_catalog, %I, pg_temp', current_schema());
        EXECUTE format('ALTER FUNCTION delete_expired_messages SET search_path = pg_catalog, %I, pg_temp', current_schema());
      END $$;

      -- The owner passes these rules.
      ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
      CREATE POLICY consumers_read ON messages FOR SELECT USING (topic IN (
        SELECT c.topic FROM consumers AS c WHERE pg_has_role(session_user, c.role::oid, 'MEMBER')
      ));
      ALTER TABLE consumer_groups ENABLE ROW LEVEL SECURITY;
      CREATE POLICY all_read ON consumer_groups FOR SELECT USING (true);
      CREATE POLICY consumers_join ON consumer_groups FOR INSERT WITH CHECK ((topic, name) IN (
        SELECT c.topic, c.group_name FROM consumers AS c WHERE pg_has_role(session_user, c.role::oid, 'MEMBER')
      ));
      ALTER TABLE positions ENABLE ROW LEVEL SECURITY;
      CREATE POLICY consumers_commit ON positions USING (group_id IN (
        SELECT g.id FROM consumer_groups AS g JOIN consumers AS c ON (c.topic, c.group_name) = (g.topic, g.name)
        WHERE pg_has_role(session_user, c.role::oid, 'MEMBER')
      ));
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
