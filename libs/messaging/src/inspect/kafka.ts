import { randomUUID } from "node:crypto";
import type { Abortable } from "@plumbline/concurrency";
import type { Telemetry } from "@plumbline/telemetry";
import type { Admin, Kafka } from "kafkajs";
import { missingTopicError } from "../errors.ts";
import { createKafka } from "../kafka/client.ts";
import { fromKafka } from "../kafka/errors.ts";
import type { GroupLag, Inspector, LogEntry, TopicSummary } from "./inspector.ts";
import { readKafka } from "./read-kafka.ts";

export async function openKafkaInspector(brokers: readonly string[], telemetry: Telemetry): Promise<Inspector> {
  const kafka = createKafka({ brokers, clientId: "messaging-inspector" }, telemetry.logger);
  const admin = kafka.admin();
  try {
    await admin.connect();
  } catch (error) {
    await admin.disconnect().catch(() => undefined);
    throw fromKafka(error, "");
  }
  return new KafkaInspector(kafka, admin);
}

class KafkaInspector implements Inspector {
  readonly #kafka: Kafka;
  readonly #admin: Admin;

  constructor(kafka: Kafka, admin: Admin) {
    this.#kafka = kafka;
    this.#admin = admin;
  }

  async topics(options: Abortable = {}): Promise<TopicSummary[]> {
    return await asked(options, async () => {
      const { topics } = await this.#admin.fetchTopicMetadata();
      return topics
        .map(({ name, partitions }) => ({ name, partitions: partitions.length }))
        .filter(({ name }) => !name.startsWith("__"))
        .sort((a, b) => compare(a.name, b.name));
    });
  }

  async read(topics: readonly string[], visit: (entry: LogEntry) => void, options: Abortable = {}): Promise<void> {
    await this.#refuseMissing(topics, options);
    const ends = new Map<string, bigint>();
    for (const topic of topics) {
      for (const { partition, high, low } of await this.#offsets(topic, options)) {
        if (BigInt(high) > BigInt(low)) ends.set(`${topic}:${partition}`, BigInt(high));
      }
    }
    if (ends.size === 0) return;
    const groupId = `messaging-inspector.${randomUUID()}`;
    try {
      const full = topics.filter((topic) => [...ends.keys()].some((name) => name.startsWith(`${topic}:`)));
      await readKafka(this.#kafka, groupId, full, ends, visit, options);
    } finally {
      // It committed nothing, so the broker forgets it by itself where this fails.
      await this.#admin.deleteGroups([groupId]).catch(() => undefined);
    }
  }

  async lag(topics: readonly string[], options: Abortable = {}): Promise<GroupLag[]> {
    await this.#refuseMissing(topics, options);
    const all = (await this.topics(options)).map(({ name }) => name);
    const { groups } = await asked(options, () => this.#admin.listGroups());
    const wanted = new Set(topics);
    const rows: GroupLag[] = [];
    for (const { groupId } of groups.toSorted((a, b) => compare(a.groupId, b.groupId))) {
      const topic = topicOf(groupId, all);
      if (topic === undefined || !wanted.has(topic)) continue;
      const group = groupId.slice(topic.length + 1);
      const [fetched] = await asked(options, () => this.#admin.fetchOffsets({ groupId, topics: [topic] }));
      const positions = new Map(fetched?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
      for (const { partition, high, low } of await this.#offsets(topic, options)) {
        const position = positions.get(partition) ?? -1n;
        const committed = position < 0n ? undefined : position;
        const [end, oldest] = [BigInt(high), BigInt(low)];
        const from = committed === undefined || committed < oldest ? oldest : committed;
        rows.push({ topic, group, partition, end, committed, lag: end - from });
      }
    }
    return rows.sort((a, b) => compare(a.topic, b.topic) || compare(a.group, b.group) || a.partition - b.partition);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.disconnect();
  }

  async #offsets(topic: string, options: Abortable) {
    return await asked(options, () => this.#admin.fetchTopicOffsets(topic), topic);
  }

  async #refuseMissing(topics: readonly string[], options: Abortable): Promise<void> {
    const existing = new Set((await this.topics(options)).map(({ name }) => name));
    const missing = topics.find((topic) => !existing.has(topic));
    if (missing !== undefined) throw missingTopicError(missing);
  }
}

/** Group ids are `<topic>.<group>`. Of the topics that fit the longest is meant: a retry topic, not the one it is named after. */
function topicOf(groupId: string, topics: readonly string[]): string | undefined {
  return topics
    .filter((topic) => groupId.startsWith(`${topic}.`))
    .sort((a, b) => b.length - a.length)
    .at(0);
}

async function asked<T>({ signal }: Abortable, ask: () => Promise<T>, topic = ""): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await ask();
  } catch (error) {
    throw fromKafka(error, topic);
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
