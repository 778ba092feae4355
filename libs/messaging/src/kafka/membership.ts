import { within } from "@plumbline/concurrency";
import type { EachBatchPayload, Kafka, Consumer as KafkaConsumer } from "kafkajs";
import type { Consumer } from "../consuming/assignment.ts";
import { Feed } from "./fetch.ts";

export interface MembershipOptions {
  readonly sessionMs: number;
  readonly maxFetchBytes: number;
  /** Called at each answer of the broker: contact. */
  readonly onContact: () => void;
}

/** How often progress is committed while there is any; a crash delivers at most this much again. */
const commitEveryMs = 100;
const recommitMs = 1_000;
/** For a broker that may not answer any more; the group then notices by the session. */
const leaveMs = 5_000;
/** What is left of a crashed one holds up the next no longer than this. */
const abandonMs = 1_000;

/** A Kafka group whose members subscribe to different topics gets them assigned as if all did: a group for each topic. */
export function groupIdOf(topic: string, group: string): string {
  return `${topic}.${group}`;
}

/**
 * One stay in a consumer group, from joining to leaving or to a crash. Handlers never run inside kafkajs's own callbacks:
 * they only take records over, so heartbeats go on however long a handler takes (tulios/kafkajs#1647), and leaving never
 * waits for a hung one (#571). Commits are ours too, contiguous and only for partitions we still own (#916: a rebalance is
 * learnt late, so what a former owner still handled arrives twice and the inbox holds).
 */
export class Membership {
  readonly #consumer: Consumer;
  readonly #kafka: KafkaConsumer;
  readonly #feeds = new Map<number, Feed>();
  readonly #crashed = Promise.withResolvers<Error>();
  /** What the group gave us. Of a batch fetched before a rebalance and taken over after it, the rest may be somebody else's. */
  #assigned: ReadonlySet<number> = new Set();
  #starting: Promise<void> = Promise.resolve();
  #commitTimer: NodeJS.Timeout | undefined;
  #committing: Promise<void> = Promise.resolve();
  #closing = false;

  constructor(kafka: Kafka, consumer: Consumer, options: MembershipOptions) {
    this.#consumer = consumer;
    this.#kafka = kafka.consumer({
      groupId: groupIdOf(consumer.topic, consumer.options.group),
      sessionTimeout: options.sessionMs,
      rebalanceTimeout: Math.max(2 * options.sessionMs, 10_000),
      heartbeatInterval: Math.max(100, Math.floor(options.sessionMs / 10)),
      // A fetch blocks its connection for as long as it waits, and commits, joins and leaves behind it.
      maxWaitTimeInMs: 100,
      maxBytesPerPartition: options.maxFetchBytes,
      allowAutoTopicCreation: false,
      // kafkajs restarts some crashes for ever and others never (#1443): none here, the subscription decides.
      retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 4, restartOnFailure: async () => false },
    });
    const { CRASH, GROUP_JOIN, FETCH, HEARTBEAT } = this.#kafka.events;
    this.#kafka.on(CRASH, ({ payload }) => this.#crashed.resolve(payload.error));
    this.#kafka.on(FETCH, options.onContact);
    this.#kafka.on(HEARTBEAT, options.onContact);
    this.#kafka.on(GROUP_JOIN, ({ payload }) => this.#keepOnly(payload.memberAssignment[consumer.topic] ?? []));
  }

  /** Resolves with why the membership ended by itself. */
  get crashed(): Promise<Error> {
    return this.#crashed.promise;
  }

  /** Joins and starts fetching. Rejects when the broker cannot be reached. */
  async start(): Promise<void> {
    this.#starting = this.#start();
    await this.#starting;
  }

  /** Something was handled: there may be places for what waits, and something to commit. */
  progress(): void {
    for (const feed of this.#feeds.values()) {
      if (!feed.waiting) continue;
      feed.pump();
      if (!feed.waiting && !this.#closing) this.#resume(feed.assignment.partition);
    }
    this.#commitIn(commitEveryMs);
  }

  /** Takes no new record, waits for running handlers, commits what they did, and leaves the group. */
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
    await within(this.#leave(), { ms: leaveMs }).catch(() => undefined);
  }

  /** After a crash: another member may own the partitions by now. */
  async abandon(reason: unknown): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#commitTimer);
    await Promise.all([
      this.#lose([...this.#feeds.keys()], reason),
      within(this.#leave(), { ms: abandonMs }).catch(() => undefined),
    ]);
  }

  async #start(): Promise<void> {
    await this.#kafka.connect();
    if (this.#closing) return;
    await this.#kafka.subscribe({ topics: [this.#consumer.topic], fromBeginning: true });
    if (this.#closing) return;
    await this.#kafka.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 1,
      eachBatch: async (payload) => this.#takeOver(payload),
    });
  }

  /** Not before it has started: kafkajs would join all the same, and be a member that nobody can end and nobody serves. */
  async #leave(): Promise<void> {
    await this.#starting.catch(() => undefined);
    await this.#kafka.disconnect();
  }

  #takeOver(payload: EachBatchPayload): void {
    const { batch } = payload;
    const { partition } = batch;
    if (this.#closing) {
      // Or it would be fetched again and again for as long as the running handlers take.
      this.#pause(partition);
      return;
    }
    if (!this.#assigned.has(partition)) return;
    let feed = this.#feeds.get(partition);
    if (feed !== undefined && BigInt(batch.highWatermark) < feed.next) {
      // Deleted and made anew under its old name, or cut: what comes is new, whatever its offsets.
      void this.#lose([partition], new Error("the partition's log starts again"));
      feed = undefined;
    }
    if (feed === undefined) {
      feed = new Feed(this.#consumer, partition, BigInt(batch.messages[0]?.offset ?? 0));
      this.#feeds.set(partition, feed);
    }
    feed.push(batch.messages);
    payload.resolveOffset(batch.lastOffset());
    if (feed.waiting) this.#pause(partition);
  }

  #pause(partition: number): void {
    this.#kafka.pause([{ topic: this.#consumer.topic, partitions: [partition] }]);
  }

  #resume(partition: number): void {
    try {
      this.#kafka.resume([{ topic: this.#consumer.topic, partitions: [partition] }]);
    } catch {
      // Between two joins nothing is paused.
    }
  }

  #keepOnly(partitions: readonly number[]): void {
    this.#assigned = new Set(partitions);
    const lost = [...this.#feeds.keys()].filter((partition) => !this.#assigned.has(partition));
    // kafkajs remembers what is paused beyond a rebalance: a partition that comes back would never be fetched.
    if (!this.#closing) for (const partition of lost) this.#resume(partition);
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

  /** One commit at a time: a later one must not be overtaken by an earlier one. A failed one is repeated: no message may follow. */
  #commit(): Promise<void> {
    this.#committing = this.#committing.then(async () => {
      const due = [...this.#feeds.values()].filter((feed) => feed.assignment.committable > feed.committed);
      if (due.length === 0) return;
      const offsets = due.map((feed) => ({ feed, offset: feed.assignment.committable }));
      try {
        await this.#kafka.commitOffsets(
          offsets.map(({ feed, offset }) => ({
            topic: this.#consumer.topic,
            partition: feed.assignment.partition,
            offset: String(offset),
          })),
        );
        for (const { feed, offset } of offsets) feed.committed = offset;
      } catch (error) {
        this.#consumer.logger.warn("offsets not committed: messages may be delivered again", {
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
