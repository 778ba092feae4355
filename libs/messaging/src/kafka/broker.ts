import { type Abortable, deadline, sleep, within } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import kafkajs, { type Admin, type Producer } from "kafkajs";
import type { Broker, Handler, SubscribeOptions, TopicOptions } from "../broker.ts";
import { createBacklog } from "../consuming/backlog.ts";
import { consumerGauges } from "../consuming/consumer-gauges.ts";
import { closedError, missingTopicError } from "../errors.ts";
import { defaultMaxMessageBytes, refuseLarge } from "../limits.ts";
import type { Message } from "../message.ts";
import { createKafka, type KafkaOptions } from "./client.ts";
import { fromKafka } from "./errors.ts";
import { groupLag } from "./lag.ts";
import { groupIdOf } from "./membership.ts";
import { PublishQueue } from "./publish.ts";
import { Subscription } from "./subscription.ts";

const defaultSessionMs = 30_000;
const defaultGiveUpMs = 600_000;
const createMs = 10_000;
/** How much longer than its retention a message may be there: well within what an inbox remembers beyond it. */
const maxSegmentMs = 24 * 3_600_000;
const defaultRetentionMs = 7 * 24 * 3_600_000;

/**
 * A broker on Apache Kafka 3.9 or later, through kafkajs. Resolves once a broker answered; `unavailable` otherwise.
 * Not idempotent at the producer: a send whose answer was lost may store twice, in order, and the inbox holds.
 */
export async function openKafkaBroker(options: KafkaOptions, telemetry: Telemetry): Promise<Broker> {
  const broker = new KafkaBroker(options, telemetry);
  await broker.connect();
  return broker;
}

class KafkaBroker implements Broker {
  readonly #options: KafkaOptions;
  readonly #telemetry: Telemetry;
  readonly #kafka;
  readonly #admin: Admin;
  readonly #producer: Producer;
  readonly #queue: PublishQueue;
  readonly #subscriptions = new Set<Subscription>();
  /** Partition counts of topics that exist. They never change while the topic is there: see TopicOptions. Bounded by the topics published to. */
  readonly #partitions = new Map<string, number>();
  #closed = false;

  constructor(options: KafkaOptions, telemetry: Telemetry) {
    this.#options = options;
    this.#telemetry = telemetry;
    this.#kafka = createKafka(options, telemetry.logger);
    this.#admin = this.#kafka.admin();
    // Partitions are chosen by us; naming a partitioner keeps kafkajs from warning about its default.
    this.#producer = this.#kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    this.#queue = new PublishQueue(this.#producer, async (topic) => {
      const partitions = await this.#partitionsOf(topic);
      if (partitions === undefined) throw missingTopicError(topic);
      return partitions;
    });
  }

  async connect(): Promise<void> {
    try {
      await Promise.all([this.#admin.connect(), this.#producer.connect()]);
    } catch (error) {
      await Promise.allSettled([this.#admin.disconnect(), this.#producer.disconnect()]);
      throw fromKafka(error, "");
    }
  }

  async publish(topic: string, messages: readonly Message[], options: Abortable = {}): Promise<void> {
    this.#refuseClosed();
    options.signal?.throwIfAborted();
    refuseLarge(messages, this.#options.maxMessageBytes ?? defaultMaxMessageBytes);
    if (messages.length === 0) return;
    await within(this.#send(topic, messages, options), options);
  }

  async subscribe(topic: string, handler: Handler, options: SubscribeOptions): Promise<AsyncDisposable> {
    this.#refuseClosed();
    const {
      sessionMs = defaultSessionMs,
      giveUpMs = defaultGiveUpMs,
      maxMessageBytes = defaultMaxMessageBytes,
    } = this.#options;
    const { group } = options;
    const backlog = createBacklog(options);
    const lag = () => groupLag(this.#admin, topic, groupIdOf(topic, group));
    const gauges = consumerGauges(this.#telemetry, { topic, group }, backlog, lag);
    const subscription = new Subscription(topic, options, handler, backlog, {
      kafka: this.#kafka,
      logger: this.#telemetry.logger,
      sessionMs,
      giveUpMs,
      maxFetchBytes: Math.max(262_144, 2 * maxMessageBytes),
      onGiveUp: this.#options.onGiveUp ?? throwUncaught,
      topicExists: async (name) => {
        this.#partitions.delete(name); // Asked before each join: it may have been deleted since.
        return (await this.#partitionsOf(name)) !== undefined;
      },
    });
    this.#subscriptions.add(subscription);
    return {
      [Symbol.asyncDispose]: async () => {
        gauges[Symbol.dispose]();
        await subscription[Symbol.asyncDispose]();
        this.#subscriptions.delete(subscription);
      },
    };
  }

  async ping(options: Abortable = {}): Promise<void> {
    this.#refuseClosed();
    await within(
      this.#admin.describeCluster().catch((error: unknown) => {
        throw fromKafka(error, "");
      }),
      options,
    );
  }

  async createTopics(topics: readonly string[], options: TopicOptions & Abortable): Promise<void> {
    this.#refuseClosed();
    const absent = async () => {
      const existing = await this.#admin.listTopics();
      return topics.filter((topic) => !existing.includes(topic));
    };
    try {
      const missing = await absent();
      if (missing.length === 0) return;
      await this.#admin.createTopics({
        // Waiting for leaders takes kafkajs seconds. A topic is there once the broker we ask lists it.
        waitForLeaders: false,
        topics: missing.map((topic) => ({
          topic,
          numPartitions: options.partitions,
          configEntries: retention(options.retentionMs ?? defaultRetentionMs),
        })),
      });
      using limit = deadline(createMs, options);
      while ((await absent()).length > 0) await sleep(20, limit);
      // Listed is not led: a send to a partition without a leader stores the others' part and is then repeated whole.
      await this.#admin.fetchTopicMetadata({ topics: missing });
    } catch (error) {
      throw fromKafka(error, topics.join(", "));
    }
  }

  async retentionMs(topic: string, options: Abortable = {}): Promise<number> {
    this.#refuseClosed();
    if ((await this.#partitionsOf(topic)) === undefined) throw missingTopicError(topic);
    const described = this.#admin
      .describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ["retention.ms"] }],
      })
      .catch((error: unknown) => {
        throw fromKafka(error, topic);
      });
    const value = Number((await within(described, options)).resources[0]?.configEntries[0]?.configValue);
    return value < 0 ? Number.POSITIVE_INFINITY : value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#subscriptions].map((subscription) => subscription[Symbol.asyncDispose]()));
    await this.#queue.idle();
    await Promise.allSettled([this.#producer.disconnect(), this.#admin.disconnect()]);
  }

  async #send(topic: string, messages: readonly Message[], options: Abortable): Promise<void> {
    try {
      await this.#queue.send(topic, messages, options);
    } catch (error) {
      if (codeOf(error) === "not_found") this.#partitions.delete(topic);
      throw error;
    }
  }

  async #partitionsOf(topic: string): Promise<number | undefined> {
    const known = this.#partitions.get(topic);
    if (known !== undefined) return known;
    try {
      // Asked for one by one, a topic that is not there is an error that kafkajs tries again for seconds.
      if (!(await this.#admin.listTopics()).includes(topic)) return undefined;
      const { topics } = await this.#admin.fetchTopicMetadata({ topics: [topic] });
      const count = topics[0]?.partitions.length ?? 0;
      if (count === 0) return undefined;
      this.#partitions.set(topic, count);
      return count;
    } catch (error) {
      throw fromKafka(error, topic);
    }
  }

  #refuseClosed(): void {
    if (this.#closed) throw closedError();
  }
}

/** The broker deletes whole segments, by their last record: with its own limit of a week it keeps messages for two. */
function retention(ms: number): { name: string; value: string }[] {
  return [
    { name: "retention.ms", value: String(ms) },
    { name: "segment.ms", value: String(Math.max(1, Math.min(ms, maxSegmentMs))) },
  ];
}

function throwUncaught(error: Error): void {
  setImmediate(() => {
    throw error;
  });
}
