import type { Queryable } from "@plumbline/postgres";
import { membersChannel } from "./migrations.ts";

export interface Share {
  /** How many partitions this member should hold. */
  readonly quota: number;
  /** Partitions nobody holds. */
  readonly free: readonly number[];
}

/**
 * Who is in a group and who handles which partition, kept in advisory locks of the members' sessions: a member that is
 * killed loses them the moment its connection ends, and there are no rows to expire. Each member holds its group's lock
 * number 0 shared, which makes it count, and lock p + 1 for each partition p it handles.
 *
 * Everything runs on the member's own session. So do its fetches and commits: what a session does while it lives, it
 * does as the owner, and one that lost its locks cannot commit any more.
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
    await session.query("INSERT INTO consumer_groups (topic, name) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
      topic,
      group,
    ]);
    const sql = "SELECT id FROM consumer_groups WHERE topic = $1 AND name = $2";
    const [row] = await session.query<{ id: number }>(sql, [topic, group]);
    const share = new GroupShare(session, topic, row?.id ?? 0, partitions);
    await session.query("SELECT pg_advisory_lock_shared($1, 0)", [share.#groupId]);
    await share.tell();
    return share;
  }

  /** Counts no more. Told once more, as the others' quotas grow only now. */
  async leave(): Promise<void> {
    await this.#session.query("SELECT pg_advisory_unlock_shared($1, 0)", [this.#groupId]);
    await this.tell();
  }

  /** Tells the others that there is something to take or to hand over; they look by themselves once a second as well. */
  async tell(): Promise<void> {
    await this.#session.query(`SELECT pg_notify('${membersChannel}', $1)`, [this.#topic]);
  }

  /** Members in the order of their backends: they all see the same order, so the quotas add up. */
  async look(): Promise<Share> {
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

  /** Takes a partition and answers the group's position in it; undefined where another member was quicker. */
  async claim(partition: number): Promise<bigint | undefined> {
    const lock = "SELECT pg_try_advisory_lock($1, $2) AS taken";
    const [row] = await this.#session.query<{ taken: boolean }>(lock, [this.#groupId, partition + 1]);
    if (row?.taken !== true) return undefined;
    // Read after the lock was taken: its last owner has committed before it let go.
    const sql = "SELECT position FROM positions WHERE group_id = $1 AND partition = $2";
    const [found] = await this.#session.query<{ position: bigint }>(sql, [this.#groupId, partition]);
    return found?.position ?? 0n;
  }

  async release(partition: number): Promise<void> {
    await this.#session.query("SELECT pg_advisory_unlock($1, $2)", [this.#groupId, partition + 1]);
  }

  /** Positions never move back. */
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
