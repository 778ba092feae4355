import { within } from "@plumbline/concurrency";
import type { Consumer } from "../consuming/assignment.ts";
import type { FetchedBatch, KafkaClient, Member } from "./client.ts";
import { Feed } from "./fetch.ts";

/** The settings of a membership. */
export interface MembershipOptions {
  readonly sessionMs: number;
  readonly maxFetchBytes: number;
  /** Called at each response of the broker. */
  readonly onContact: () => void;
}

/** The interval of commits, which bounds the messages delivered again after a crash. */
const commitEveryMs = 100;
const recommitMs = 1_000;
/**
 * The time limit to leave. If the broker does not respond, the group evicts the member when its
 * session expires.
 */
const leaveMs = 5_000;
/** The time limit to leave after a crash, which delays the next membership. */
const abandonMs = 1_000;

/**
 * Returns the id of the Kafka group. Each topic has a group of its own. If members of one group
 * subscribed to different topics, the assignor would assign partitions as if all of them subscribed
 * to all topics.
 */
export function groupIdOf(topic: string, group: string): string {
  return `${topic}.${group}`;
}

/**
 * A stay in a consumer group, from joining to leaving or crashing. Handlers run outside the client
 * library, which only hands records over. Heartbeats therefore continue however long a handler
 * takes (tulios/kafkajs#1647), and leaving never waits for a hung handler (#571).
 *
 * Commits are contiguous and only for partitions that the member owns. The library learns of a
 * rebalance late (#916), so messages that a former owner still handles are delivered twice, and the
 * inbox drops the second copy.
 */
export class Membership {
  readonly #consumer: Consumer;
  readonly #member: Member;
  readonly #feeds = new Map<number, Feed>();
  readonly #crashed = Promise.withResolvers<Error>();
  /**
   * The partitions that the group assigned to this member. A batch fetched before a rebalance may
   * belong to another member.
   */
  #assigned: ReadonlySet<number> = new Set();
  #commitTimer: NodeJS.Timeout | undefined;
  #committing: Promise<void> = Promise.resolve();
  #closing = false;

  constructor(client: Pick<KafkaClient, "member">, consumer: Consumer, options: MembershipOptions) {
    this.#consumer = consumer;
    const { topic } = consumer;
    const { sessionMs, maxFetchBytes, onContact } = options;
    const groupId = groupIdOf(topic, consumer.options.group);
    this.#member = client.member(
      { topic, groupId, sessionMs, maxFetchBytes },
      {
        contact: onContact,
        assigned: (partitions) => this.#keepOnly(partitions),
        fetched: (batch) => this.#take(batch),
        restarted: (partition) => this.#restart(partition),
        crashed: (error) => this.#crashed.resolve(error),
      },
    );
  }

  /** Resolves with the reason if the membership ends by itself. */
  get crashed(): Promise<Error> {
    return this.#crashed.promise;
  }

  /** Joins the group and starts fetching. Rejects if the broker is unreachable. */
  async start(): Promise<void> {
    await this.#member.start();
  }

  /** Moves waiting records on after progress of the handlers, and schedules a commit. */
  progress(): void {
    for (const feed of this.#feeds.values()) {
      if (!feed.waiting) continue;
      feed.pump();
      if (!feed.waiting && !this.#closing) this.#member.resume(feed.assignment.partition);
    }
    this.#commitIn(commitEveryMs);
  }

  /**
   * Takes no new record, waits for running handlers, commits their progress and leaves the group.
   */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(
      [...this.#feeds.values()].map(async (feed) => {
        feed.drop();
        await feed.assignment.stop();
      }),
    );
    clearTimeout(this.#commitTimer);
    await within(this.#commit(), { ms: leaveMs }).catch(() => undefined);
    await within(this.#member.leave(), { ms: leaveMs }).catch(() => undefined);
  }

  /** Ends a crashed membership without a commit, because another member may own the partitions. */
  async abandon(reason: unknown): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#commitTimer);
    await Promise.all([
      this.#lose([...this.#feeds.keys()], reason),
      within(this.#member.leave(), { ms: abandonMs }).catch(() => undefined),
    ]);
  }

  #take({ partition, records, next, highWatermark }: FetchedBatch): boolean {
    if (this.#closing) {
      // Without the pause the batch would be fetched again and again until the handlers finish.
      this.#member.pause(partition);
      return false;
    }
    if (!this.#assigned.has(partition)) return false;
    // The topic was deleted and created again, or its log was truncated. Its records are new,
    // whatever their offsets.
    if (highWatermark < (this.#feeds.get(partition)?.next ?? 0n)) this.#restart(partition);
    const start = records[0]?.offset ?? next - 1n;
    const feed = this.#feeds.get(partition) ?? new Feed(this.#consumer, partition, start);
    this.#feeds.set(partition, feed);
    feed.push(records, next);
    // Markers of transactions would count as lag until the next message.
    if (feed.assignment.committable > feed.committed) this.#commitIn(commitEveryMs);
    if (feed.waiting) this.#member.pause(partition);
    return true;
  }

  #restart(partition: number): void {
    void this.#lose([partition], new Error("the partition's log was created again or truncated"));
  }

  #keepOnly(partitions: readonly number[]): void {
    this.#assigned = new Set(partitions);
    const lost = [...this.#feeds.keys()].filter((partition) => !this.#assigned.has(partition));
    // kafkajs keeps a pause beyond a rebalance. A partition that is assigned again would never be
    // fetched.
    if (!this.#closing) for (const partition of lost) this.#member.resume(partition);
    void this.#lose(lost, new Error("the group gave this partition to another member"));
  }

  async #lose(partitions: readonly number[], reason: unknown): Promise<void> {
    await Promise.all(
      partitions.map(async (partition) => {
        const feed = this.#feeds.get(partition);
        this.#feeds.delete(partition);
        feed?.drop();
        await feed?.assignment.lose(reason);
      }),
    );
  }

  #commitIn(ms: number): void {
    this.#commitTimer ??= setTimeout(() => {
      this.#commitTimer = undefined;
      void this.#commit();
    }, ms);
  }

  /**
   * Commits one after another, so that no earlier commit overtakes a later one. Repeats a failed
   * commit after a pause.
   */
  #commit(): Promise<void> {
    this.#committing = this.#committing.then(async () => {
      const due = [...this.#feeds.values()].filter((feed) => feed.assignment.committable > feed.committed);
      if (due.length === 0) return;
      const offsets = new Map(due.map(({ assignment }) => [assignment.partition, assignment.committable]));
      try {
        await this.#member.commit(offsets);
        for (const feed of due) feed.committed = offsets.get(feed.assignment.partition) ?? feed.committed;
      } catch (error) {
        this.#consumer.logger.warn("cannot commit offsets; messages may be delivered again", {
          topic: this.#consumer.topic,
          group: this.#consumer.options.group,
          error: String(error),
        });
        if (!this.#closing) this.#commitIn(recommitMs);
      }
    });
    return this.#committing;
  }
}
