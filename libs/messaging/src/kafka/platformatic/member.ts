import {
  type BaseOptions,
  type ClusterTopicMetadata,
  type ConnectionPool,
  Consumer,
  type ConsumerOptions,
  ListOffsetTimestamps,
  ResponseError,
} from "@platformatic/kafka";
import { fullJitter, sleep } from "@plumbline/concurrency";
import type { Member, MemberEvents, MemberOptions } from "../client.ts";
import { isRetryable, needsRejoin } from "./errors.ts";
import { decode, type FetchedPartition, type FetchResponse } from "./fetch.ts";
import { readablePool } from "./readable-fetches.ts";

const retryBackoff = { baseMs: 50, maxMs: 1_000 };
const joinAttempts = 5;
/** The longest wait of a fetch while no partition is paused. Data ends the wait at once. */
const idleWaitMs = 1_000;
/**
 * The longest wait while a partition is paused. It is shorter, because a resumed partition waits
 * for the next fetch.
 */
const pausedWaitMs = 50;
const maxResponseBytes = 10_485_760;

/**
 * A member on @platformatic/kafka's consumer, which joins, sends heartbeats and speaks the
 * protocol. The fetches are made here instead of by its stream. They use a connection of their own
 * and cover only partitions that are not paused, and a response that arrives after a rebalance is
 * dropped.
 *
 * The consumer itself retries nothing. With retries, its commit would respond to the end of a
 * generation by joining the next one and committing the old offsets there, including those of
 * partitions that another member owns by then.
 */
export class PlatformaticMember implements Member {
  readonly #topic: string;
  readonly #maxFetchBytes: number;
  readonly #events: MemberEvents;
  readonly #consumer: Consumer;
  readonly #fetchConnections: ConnectionPool;
  /** The next offset to fetch in each partition that this member owns. */
  readonly #positions = new Map<number, bigint>();
  readonly #paused = new Set<number>();
  /** The brokers with a fetch in flight. Fetch sessions allow one at a time per broker. */
  readonly #fetching = new Set<number>();
  #metadata: ClusterTopicMetadata | undefined;
  #generation = 0;
  #failures = 0;
  #starting: Promise<void> = Promise.resolve();
  #leaving = false;

  constructor(
    base: BaseOptions,
    { topic, groupId, sessionMs, maxFetchBytes }: MemberOptions,
    events: MemberEvents,
    createConsumer = (options: ConsumerOptions<Buffer, Buffer, Buffer, Buffer>) => new Consumer(options),
  ) {
    this.#topic = topic;
    this.#maxFetchBytes = maxFetchBytes;
    this.#events = events;
    this.#fetchConnections = readablePool(base);
    this.#consumer = createConsumer({
      ...base,
      retries: 0,
      groupId,
      sessionTimeout: sessionMs,
      rebalanceTimeout: Math.max(2 * sessionMs, 10_000),
      heartbeatInterval: Math.max(100, Math.floor(sessionMs / 10)),
      // kafkajs uses the same name for this assignor, so members on either client share a group
      // during a change.
      protocols: [{ name: "RoundRobinAssigner", version: 1 }],
    });
    this.#consumer.topics.track(topic);
    this.#consumer.on("consumer:heartbeat:end", () => events.contact());
    this.#consumer.on("consumer:group:join", ({ assignments }) => {
      const partitions = assignments?.find((assigned) => assigned.topic === topic)?.partitions ?? [];
      void this.#assign(this.#consumer.generationId, partitions);
    });
    // A heartbeat that meets a rebalance joins again by itself, and reports a failure here.
    this.#consumer.on("error", (error) => void this.#joinAgain(error));
  }

  async start(): Promise<void> {
    this.#starting = this.#start();
    await this.#starting;
  }

  pause(partition: number): void {
    this.#paused.add(partition);
  }

  resume(partition: number): void {
    if (this.#paused.delete(partition)) this.#fetchAll();
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const { generationId, memberId } = this.#consumer;
    // The consumer has the next generation's number before it has the next assignment.
    if (memberId === null || generationId !== this.#generation) throw new Error("a rebalance is in progress");
    const topic = this.#topic;
    await this.#consumer.commit({
      offsets: [...offsets].map(([partition, offset]) => ({ topic, partition, offset, leaderEpoch: -1 })),
    });
  }

  /**
   * Waits for a join in progress, then leaves. Otherwise the group would have a member without a
   * process.
   */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#fetchConnections.close(); // Ends the fetches in flight.
    await this.#starting.catch(() => undefined);
    // If the broker does not respond, the group evicts the member when its session expires.
    await new Promise((settled) => this.#consumer.leaveGroup(false, settled));
    await this.#consumer.close().catch(async () => await this.#consumer.connections.close());
  }

  async #start(): Promise<void> {
    await this.#refresh();
    if (!this.#leaving) await this.#join();
  }

  /**
   * Joins the group. If other members join or leave at the same time, the join fails with another
   * rebalance. The member keeps its id and joins again.
   */
  async #join(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#consumer.joinGroup();
        return;
      } catch (error) {
        const again = isRetryable(error) || needsRejoin(error);
        if (this.#leaving || !again || attempt === joinAttempts) throw error;
        await sleep(fullJitter(attempt, retryBackoff));
      }
    }
  }

  async #joinAgain(error: Error): Promise<void> {
    if (this.#leaving) return;
    try {
      if (!isRetryable(error) && !needsRejoin(error)) throw error;
      await this.#join();
    } catch (failure) {
      this.#crash(failure);
    }
  }

  async #assign(generation: number, partitions: readonly number[]): Promise<void> {
    this.#generation = generation;
    this.#events.assigned(partitions);
    for (const partition of this.#positions.keys()) {
      if (!partitions.includes(partition)) this.#positions.delete(partition);
    }
    while (this.#isCurrent(generation)) {
      try {
        const positions = await this.#committedOrOldest(partitions);
        if (!this.#isCurrent(generation)) return;
        // A partition that this member owned before has records in flight that are not committed
        // yet.
        for (const [partition, offset] of positions) {
          this.#positions.set(partition, later(offset, this.#positions.get(partition) ?? 0n));
        }
        this.#fetchAll();
        return;
      } catch (error) {
        if (this.#isCurrent(generation)) await this.#recover(error);
      }
    }
  }

  async #committedOrOldest(partitions: readonly number[]): Promise<Map<number, bigint>> {
    const topic = this.#topic;
    if (partitions.length === 0) return new Map();
    const committed = await this.#consumer.listCommittedOffsets({ topics: [{ topic, partitions: [...partitions] }] });
    const offsets = committed.get(topic) ?? [];
    const fresh = partitions.filter((partition) => (offsets[partition] ?? -1n) < 0n);
    const oldest = await this.#oldest(fresh);
    return new Map(partitions.map((partition) => [partition, oldest.get(partition) ?? offsets[partition] ?? 0n]));
  }

  async #oldest(partitions: readonly number[]): Promise<Map<number, bigint>> {
    const topic = this.#topic;
    if (partitions.length === 0) return new Map();
    const wanted = { [topic]: [...partitions] };
    const timestamp = ListOffsetTimestamps.EARLIEST;
    const offsets = (await this.#consumer.listOffsets({ topics: [topic], partitions: wanted, timestamp })).get(topic);
    return new Map(partitions.map((partition) => [partition, offsets?.[partition] ?? 0n]));
  }

  /**
   * Starts a fetch at each broker that leads one of the member's partitions and has none in flight.
   */
  #fetchAll(): void {
    if (this.#leaving) return;
    const byLeader = Map.groupBy(
      [...this.#positions.keys()].filter((partition) => !this.#paused.has(partition)),
      (partition) => this.#metadata?.partitions[partition]?.leader ?? -1,
    );
    for (const [leader, partitions] of byLeader) {
      if (!this.#fetching.has(leader)) void this.#fetch(leader, partitions);
    }
  }

  async #fetch(node: number, partitions: readonly number[]): Promise<void> {
    const generation = this.#generation;
    this.#fetching.add(node);
    try {
      const { responses } = await this.#consumer.fetch({
        node,
        connectionPool: this.#fetchConnections,
        maxWaitTime: this.#paused.size === 0 ? idleWaitMs : pausedWaitMs,
        maxBytes: maxResponseBytes,
        topics: [{ topicId: this.#metadata?.id ?? "", partitions: partitions.map((one) => this.#request(one)) }],
      });
      if (this.#isCurrent(generation)) {
        this.#failures = 0;
        this.#events.contact();
        for (const fetched of responses.flatMap((topic) => topic.partitions)) this.#take(fetched);
      }
    } catch (error) {
      if (this.#isCurrent(generation)) await this.#recover(error);
    }
    this.#fetching.delete(node);
    this.#fetchAll();
  }

  #request(partition: number) {
    return {
      partition,
      fetchOffset: this.#positions.get(partition) ?? 0n,
      partitionMaxBytes: this.#maxFetchBytes,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
    };
  }

  #take(fetched: FetchedPartition): void {
    const { partitionIndex: partition, highWatermark } = fetched;
    const position = this.#positions.get(partition);
    if (position === undefined) return;
    const { records, next } = decode(fetched, position);
    if (next === position) return;
    if (this.#events.fetched({ partition, records, next, highWatermark })) this.#positions.set(partition, next);
  }

  /**
   * Prepares the next attempt after an error: pauses, reads new metadata, or moves to a position
   * that exists. Reports a crash if none of them helps.
   */
  async #recover(error: unknown): Promise<void> {
    try {
      const cut = outOfRange(error);
      if (cut.length > 0) await this.#startAtOldest(cut);
      else if (!isRetryable(error)) throw error;
      else {
        await sleep(fullJitter(++this.#failures, retryBackoff));
        if (!this.#leaving) await this.#refresh();
      }
    } catch (failure) {
      if (!isRetryable(failure)) this.#crash(failure);
    }
  }

  /**
   * Moves partitions to their oldest record, because the records at their position were deleted by
   * the retention or the log was truncated.
   */
  async #startAtOldest(partitions: readonly number[]): Promise<void> {
    for (const [partition, offset] of await this.#oldest(partitions)) {
      const position = this.#positions.get(partition);
      if (position === undefined) continue;
      if (offset < position) this.#events.restarted(partition);
      this.#positions.set(partition, offset);
    }
  }

  async #refresh(): Promise<void> {
    const { topics } = await this.#consumer.metadata({ topics: [this.#topic], forceUpdate: true });
    const found = topics.get(this.#topic);
    if (this.#metadata !== undefined && this.#metadata.id !== found?.id) {
      throw new Error(`topic ${this.#topic} was deleted and created again`);
    }
    this.#metadata = found;
  }

  #isCurrent(generation: number): boolean {
    return !this.#leaving && generation === this.#generation;
  }

  #crash(error: unknown): void {
    if (this.#leaving) return;
    this.#events.crashed(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Returns the partitions whose fetch position is not in their log. */
function outOfRange(error: unknown): number[] {
  if (!(error instanceof ResponseError)) return [];
  const { responses = [] } = (error["response"] ?? {}) as Partial<FetchResponse>;
  const offsetOutOfRange = 1;
  return responses
    .flatMap(({ partitions }) => partitions)
    .filter(({ errorCode }) => errorCode === offsetOutOfRange)
    .map(({ partitionIndex }) => partitionIndex);
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
