import { type Queryable, sqlStateOf } from "@plumbline/postgres";
import { notAllowed } from "./grants.ts";
import { membersChannel } from "./migrations.ts";

/** The partitions that a member should hold and may take. */
export interface Share {
  /** The number of partitions that this member should hold. */
  readonly quota: number;
  /** The partitions without an owner. */
  readonly free: readonly number[];
}

/**
 * One member's view of its group: the members, and the owner of each partition. Both are kept in
 * advisory locks of the members' sessions. A killed member loses its locks when its connection
 * ends, so no rows have to expire. Each member holds lock 0 of its group shared, which counts it,
 * and lock p + 1 for each partition p that it handles.
 *
 * Everything runs on the member's own session, including its fetches and commits. A session that
 * lost its locks can therefore not commit.
 */
export class GroupShare {
  readonly #session: Queryable;
  readonly #topic: string;
  readonly #groupId: number;
  readonly #partitions: number;

  private constructor(session: Queryable, topic: string, groupId: number, partitions: number) {
    this.#session = session;
    this.#topic = topic;
    this.#groupId = groupId;
    this.#partitions = partitions;
  }

  static async join(session: Queryable, topic: string, group: string, partitions: number): Promise<GroupShare> {
    const insert = "INSERT INTO consumer_groups (topic, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    try {
      await session.query(insert, [topic, group]);
    } catch (error) {
      throw sqlStateOf(error) === "42501" ? notAllowed("CONSUME_NOT_ALLOWED", error) : error;
    }
    const sql = "SELECT id FROM consumer_groups WHERE topic = $1 AND name = $2";
    const [row] = await session.query<{ id: number }>(sql, [topic, group]);
    const share = new GroupShare(session, topic, row?.id ?? 0, partitions);
    await session.query("SELECT pg_advisory_lock_shared($1, 0)", [share.#groupId]);
    await share.notify();
    return share;
  }

  /** Leaves the group. Notifies the others again, because their quotas grow only now. */
  async leave(): Promise<void> {
    await this.#session.query("SELECT pg_advisory_unlock_shared($1, 0)", [this.#groupId]);
    await this.notify();
  }

  /**
   * Notifies the other members that there is a partition to take or to hand over. They also poll
   * every second.
   */
  async notify(): Promise<void> {
    await this.#session.query(`SELECT pg_notify('${membersChannel}', $1)`, [this.#topic]);
  }

  /**
   * Returns this member's quota and the free partitions. All members see the same order (that of
   * their backends), so the quotas add up.
   */
  async read(): Promise<Share> {
    const sql = `
      SELECT objid::int4 AS lock, pid = pg_backend_pid() AS mine FROM pg_locks
      WHERE locktype = 'advisory' AND objsubid = 2 AND classid = $1::int4::oid AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      ORDER BY pid`;
    const locks = await this.#session.query<{ lock: number; mine: boolean }>(sql, [this.#groupId], {
      name: "messaging_look",
    });
    const members = locks.filter(({ lock }) => lock === 0);
    const rank = members.findIndex(({ mine }) => mine);
    const held = new Set(locks.map(({ lock }) => lock - 1));
    const all = Array.from({ length: this.#partitions }, (_, partition) => partition);
    const extra = rank < this.#partitions % members.length ? 1 : 0;
    return {
      quota: Math.floor(this.#partitions / members.length) + extra,
      free: all.filter((partition) => !held.has(partition)),
    };
  }

  /**
   * Takes a partition and returns the group's position in it. Returns undefined if another member
   * was faster.
   */
  async claim(partition: number): Promise<bigint | undefined> {
    const lock = "SELECT pg_try_advisory_lock($1, $2) AS taken";
    const [row] = await this.#session.query<{ taken: boolean }>(lock, [this.#groupId, partition + 1]);
    if (row?.taken !== true) return undefined;
    // Read after taking the lock, because the last owner commits before it releases the lock.
    const sql = "SELECT position FROM positions WHERE group_id = $1 AND partition = $2";
    const [found] = await this.#session.query<{ position: bigint }>(sql, [this.#groupId, partition]);
    return found?.position ?? 0n;
  }

  async release(partition: number): Promise<void> {
    await this.#session.query("SELECT pg_advisory_unlock($1, $2)", [this.#groupId, partition + 1]);
  }

  /** Commits positions. A position never decreases. */
  async commit(positions: ReadonlyMap<number, bigint>): Promise<void> {
    const sql = `
      INSERT INTO positions (group_id, partition, position)
      SELECT $1, partition, position FROM unnest($2::int[], $3::bigint[]) AS t (partition, position)
      ON CONFLICT (group_id, partition) DO UPDATE SET position = excluded.position
      WHERE positions.position < excluded.position`;
    const values = [this.#groupId, [...positions.keys()], [...positions.values()]];
    await this.#session.query(sql, values, { name: "messaging_commit" });
  }
}
