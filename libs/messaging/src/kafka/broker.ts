import { type Abortable, deadline, sleep, within } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import type { Broker, Handler, SubscribeOptions, TopicOptions } from "../broker.ts";
import { type Backlog, createBacklog, isStuck } from "../consuming/backlog.ts";
import { consumerGauges } from "../consuming/consumer-gauges.ts";
import { closedError, missingTopicError } from "../errors.ts";
import { defaultMaxMessageBytes, refuseLarge } from "../limits.ts";
import type { Message } from "../message.ts";
import type { KafkaClient } from "./client.ts";
import { connectKafka } from "./connect.ts";
import { fromKafka, isWithoutLeader } from "./errors.ts";
import { groupLag } from "./lag.ts";
import { groupIdOf } from "./membership.ts";
import { type KafkaOptions, tlsOf } from "./options.ts";
import { PublishQueue } from "./publish.ts";
import { Subscription } from "./subscription.ts";
import { tlsFault } from "./tls-fault.ts";

const defaultSessionMs = 30_000;
const defaultGiveUpMs = 600_000;
const createMs = 10_000;
/** The most time that a message outlives its retention, well within the inbox's margin. */
const maxSegmentMs = 24 * 3_600_000;
const defaultRetentionMs = 7 * 24 * 3_600_000;

/**
 * Opens a broker on Apache Kafka 3.9 or later. Rejects with `unavailable` if no broker responds,
 * and at once if none accepts the certificates. The producer is not idempotent: a send whose reply
 * was lost may be stored twice, in order, and the inbox drops the second copy.
 */
export async function openKafkaBroker(options: KafkaOptions, telemetry: Telemetry): Promise<Broker> {
  try {
    const tls = tlsOf(options);
    const fault = tls && (await tlsFault(options.brokers, tls));
    if (fault !== undefined) throw fault;
    return new KafkaBroker(await connectKafka(options, telemetry.logger), options, telemetry);
  } catch (error) {
    throw fromKafka(error, "", options);
  }
}

class KafkaBroker implements Broker {
  readonly #client: KafkaClient;
  readonly #options: KafkaOptions;
  readonly #telemetry: Telemetry;
  readonly #queue: PublishQueue;
  readonly #subscriptions = new Set<Subscription>();
  readonly #backlogs = new Set<Backlog>();
  /**
   * The partition counts of existing topics, which never change (see TopicOptions). Bounded by the
   * number of topics published to.
   */
  readonly #partitions = new Map<string, number>();
  #closed = false;

  constructor(client: KafkaClient, options: KafkaOptions, telemetry: Telemetry) {
    this.#client = client;
    this.#options = options;
    this.#telemetry = telemetry;
    const partitionsOf = async (topic: string) => {
      const partitions = await this.#partitionsOf(topic);
      if (partitions === undefined) throw missingTopicError(topic);
      return partitions;
    };
    this.#queue = new PublishQueue(client, partitionsOf, options);
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
    const lag = () => groupLag(this.#client, topic, groupIdOf(topic, group));
    const gauges = consumerGauges(this.#telemetry, { topic, group }, backlog, lag);
    const subscription = new Subscription(topic, options, handler, backlog, {
      client: this.#client,
      logger: this.#telemetry.logger,
      sessionMs,
      giveUpMs,
      maxFetchBytes: Math.max(262_144, 2 * maxMessageBytes),
      onGiveUp: this.#options.onGiveUp ?? throwUncaught,
      topicExists: async (name) => {
        this.#partitions.delete(name); // Read again before each join, because the topic may have been deleted.
        return (await this.#partitionsOf(name)) !== undefined;
      },
    });
    this.#subscriptions.add(subscription);
    this.#backlogs.add(backlog);
    return {
      [Symbol.asyncDispose]: async () => {
        gauges[Symbol.dispose]();
        this.#backlogs.delete(backlog);
        await subscription[Symbol.asyncDispose]();
        this.#subscriptions.delete(subscription);
      },
    };
  }

  get isStuck(): boolean {
    return this.#backlogs.values().some(isStuck);
  }

  async ping(options: Abortable = {}): Promise<void> {
    this.#refuseClosed();
    await within(this.#ask(this.#client.ping()), options);
  }

  async createTopics(topics: readonly string[], options: TopicOptions & Abortable): Promise<void> {
    this.#refuseClosed();
    const absent = async () => {
      const existing = await this.#client.topics();
      return topics.filter((topic) => !existing.includes(topic));
    };
    try {
      const missing = await absent();
      if (missing.length === 0) return;
      await this.#client.createTopics(
        missing,
        options.partitions,
        retention(options.retentionMs ?? defaultRetentionMs),
      );
      using limit = deadline(createMs, options);
      while ((await absent()).length > 0) await sleep(20, limit);
      await Promise.all(missing.map(async (topic) => await this.#untilLed(topic, limit)));
    } catch (error) {
      throw fromKafka(error, topics.join(", "), this.#options);
    }
  }

  async retentionMs(topic: string, options: Abortable = {}): Promise<number> {
    this.#refuseClosed();
    if ((await this.#partitionsOf(topic)) === undefined) throw missingTopicError(topic);
    const described = this.#ask(this.#client.topicConfig(topic, "retention.ms"), topic);
    const value = Number(await within(described, options));
    return value < 0 ? Number.POSITIVE_INFINITY : value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#subscriptions].map((subscription) => subscription[Symbol.asyncDispose]()));
    await this.#queue.idle();
    await this.#client[Symbol.asyncDispose]();
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
    // Listed first: both clients retry a request for the metadata of a missing topic for seconds.
    if (!(await this.#ask(this.#client.topics())).includes(topic)) return undefined;
    const count = (await this.#ask(this.#client.partitions([topic]), topic)).get(topic) ?? 0;
    if (count === 0) return undefined;
    this.#partitions.set(topic, count);
    return count;
  }

  async #ask<T>(work: Promise<T>, topic = ""): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw fromKafka(error, topic, this.#options);
    }
  }

  /**
   * Waits until every partition of a new topic accepts records, which happens some time after the
   * metadata names its leader. Before that, a send would store the records of some partitions, be
   * rejected by others, and be repeated as a whole.
   */
  async #untilLed(topic: string, limit: Abortable): Promise<void> {
    for (;;) {
      try {
        await this.#client.offsets(topic);
        return;
      } catch (error) {
        if (!isWithoutLeader(error)) throw error;
        await sleep(20, limit);
      }
    }
  }

  #refuseClosed(): void {
    if (this.#closed) throw closedError();
  }
}

/**
 * Returns the settings for a retention. The broker deletes whole segments, by their last record.
 * With its own limit of a week per segment it would keep messages for two weeks.
 */
function retention(ms: number): Record<string, string> {
  return { "retention.ms": String(ms), "segment.ms": String(Math.max(1, Math.min(ms, maxSegmentMs))) };
}

function throwUncaught(error: Error): void {
  setImmediate(() => {
    throw error;
  });
}
