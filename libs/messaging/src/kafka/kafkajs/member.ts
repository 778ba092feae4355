import type {
  ConsumerStartBatchProcessEvent,
  EachBatchPayload,
  Kafka,
  Consumer as KafkaConsumer,
  KafkaMessage,
} from "kafkajs";
import type { IncomingRecord, Member, MemberEvents, MemberOptions } from "../client.ts";

type BatchEvent = ConsumerStartBatchProcessEvent["payload"];

/**
 * A member on kafkajs's consumer. Its callback only hands records over, so heartbeats continue
 * meanwhile.
 */
export class KafkajsMember implements Member {
  readonly #consumer: KafkaConsumer;
  readonly #topic: string;
  readonly #events: MemberEvents;
  #starting: Promise<void> = Promise.resolve();
  #leaving = false;

  constructor(kafka: Kafka, { topic, groupId, sessionMs, maxFetchBytes }: MemberOptions, events: MemberEvents) {
    this.#topic = topic;
    this.#events = events;
    this.#consumer = kafka.consumer({
      groupId,
      sessionTimeout: sessionMs,
      rebalanceTimeout: Math.max(2 * sessionMs, 10_000),
      heartbeatInterval: Math.max(100, Math.floor(sessionMs / 10)),
      // A waiting fetch blocks its connection; commits, joins and leaves queue behind it.
      maxWaitTimeInMs: 100,
      maxBytesPerPartition: maxFetchBytes,
      allowAutoTopicCreation: false,
      // kafkajs always restarts after some crashes and never after others (#1443). The subscription
      // decides instead.
      retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 4, restartOnFailure: async () => false },
    });
    const { CRASH, GROUP_JOIN, FETCH, HEARTBEAT, START_BATCH_PROCESS } = this.#consumer.events;
    this.#consumer.on(CRASH, ({ payload }) => events.crashed(payload.error));
    this.#consumer.on(FETCH, () => events.contact());
    this.#consumer.on(HEARTBEAT, () => events.contact());
    this.#consumer.on(START_BATCH_PROCESS, ({ payload }) => this.#skip(payload));
    this.#consumer.on(GROUP_JOIN, ({ payload }) => events.assigned(payload.memberAssignment[topic] ?? []));
  }

  async start(): Promise<void> {
    this.#starting = this.#start();
    await this.#starting;
  }

  pause(partition: number): void {
    this.#consumer.pause([{ topic: this.#topic, partitions: [partition] }]);
  }

  resume(partition: number): void {
    try {
      this.#consumer.resume([{ topic: this.#topic, partitions: [partition] }]);
    } catch {
      // Between two joins no partition is paused.
    }
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const topic = this.#topic;
    await this.#consumer.commitOffsets(
      [...offsets].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })),
    );
  }

  /**
   * Waits for a join in progress, then leaves. Otherwise kafkajs would finish the join after the
   * disconnect, and the group would have a member without a process.
   */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#starting.catch(() => undefined);
    await this.#consumer.disconnect();
  }

  async #start(): Promise<void> {
    await this.#consumer.connect();
    if (this.#leaving) return;
    await this.#consumer.subscribe({ topics: [this.#topic], fromBeginning: true });
    if (this.#leaving) return;
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 1,
      eachBatch: async (payload) => this.#takeOver(payload),
    });
  }

  #takeOver(payload: EachBatchPayload): void {
    const { batch } = payload;
    const taken = this.#events.fetched({
      partition: batch.partition,
      records: batch.messages.map(toIncoming),
      next: BigInt(batch.lastOffset()) + 1n,
      highWatermark: BigInt(batch.highWatermark),
    });
    if (taken) payload.resolveOffset(batch.lastOffset());
  }

  /** Reports a batch of markers and aborted records only, for which kafkajs calls no handler. */
  #skip({ partition, batchSize, lastOffset, highWatermark }: BatchEvent): void {
    if (batchSize > 0) return;
    this.#events.fetched({
      partition,
      records: [],
      next: BigInt(lastOffset) + 1n,
      highWatermark: BigInt(highWatermark),
    });
  }
}

export function toIncoming({ offset, timestamp, key, value, headers = {} }: KafkaMessage): IncomingRecord {
  const texts = Object.entries(headers).map(([name, value]): [string, string] => {
    return [name, (Array.isArray(value) ? value.at(-1) : value)?.toString() ?? ""];
  });
  return { offset: BigInt(offset), timestamp: Number(timestamp), key, value, headers: new Map(texts) };
}
