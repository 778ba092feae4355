import type { Abortable } from "@plumbline/concurrency";
import type { Telemetry } from "@plumbline/telemetry";
import { missingTopicError } from "../errors.ts";
import type { KafkaClient, PartitionEnd } from "../kafka/client.ts";
import { toMessage } from "../kafka/cloud-events.ts";
import { connectKafka } from "../kafka/connect.ts";
import { fromKafka } from "../kafka/errors.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import type { GroupLag, Inspector, LogEntry, TopicSummary } from "./inspector.ts";

export async function openKafkaInspector(
  options: Pick<KafkaOptions, "brokers" | "client" | "sasl">,
  telemetry: Telemetry,
): Promise<Inspector> {
  try {
    return new KafkaInspector(await connectKafka({ ...options, clientId: "messaging-inspector" }, telemetry.logger));
  } catch (error) {
    throw fromKafka(error, "", options);
  }
}

class KafkaInspector implements Inspector {
  readonly #client: KafkaClient;

  constructor(client: KafkaClient) {
    this.#client = client;
  }

  async topics(options: Abortable = {}): Promise<TopicSummary[]> {
    return await ask(options, async () => {
      const names = (await this.#client.topics()).filter((name) => !name.startsWith("__"));
      const partitions = await this.#client.partitions(names);
      return names
        .map((name) => ({ name, partitions: partitions.get(name) ?? 0 }))
        .sort((a, b) => compare(a.name, b.name));
    });
  }

  async read(topics: readonly string[], visit: (entry: LogEntry) => void, options: Abortable = {}): Promise<void> {
    await this.#refuseMissing(topics, options);
    const ends: PartitionEnd[] = [];
    for (const topic of topics) {
      for (const { partition, high, low } of await this.#offsets(topic, options)) {
        if (high > low) ends.push({ topic, partition, end: high });
      }
    }
    if (ends.length === 0) return;
    await ask(options, async () => {
      await this.#client.read(
        ends,
        (topic, partition, record) => {
          visit({ topic, partition, offset: record.offset, message: toMessage(record, topic, partition) });
        },
        options.signal,
      );
    });
  }

  async lag(topics: readonly string[], options: Abortable = {}): Promise<GroupLag[]> {
    await this.#refuseMissing(topics, options);
    const all = (await this.topics(options)).map(({ name }) => name);
    const groups = await ask(options, () => this.#client.groups());
    const wanted = new Set(topics);
    const rows: GroupLag[] = [];
    for (const groupId of groups.toSorted(compare)) {
      const topic = topicOf(groupId, all);
      if (topic === undefined || !wanted.has(topic)) continue;
      const group = groupId.slice(topic.length + 1);
      const positions = await ask(options, () => this.#client.committed(groupId, topic));
      for (const { partition, high: end, low } of await this.#offsets(topic, options)) {
        const committed = positions.get(partition);
        const from = committed === undefined || committed < low ? low : committed;
        rows.push({ topic, group, partition, end, committed, lag: end - from });
      }
    }
    return rows.sort((a, b) => compare(a.topic, b.topic) || compare(a.group, b.group) || a.partition - b.partition);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }

  async #offsets(topic: string, options: Abortable) {
    return await ask(options, () => this.#client.offsets(topic), topic);
  }

  async #refuseMissing(topics: readonly string[], options: Abortable): Promise<void> {
    const existing = new Set((await this.topics(options)).map(({ name }) => name));
    const missing = topics.find((topic) => !existing.has(topic));
    if (missing !== undefined) throw missingTopicError(missing);
  }
}

/**
 * Returns the topic of a group id `<topic>.<group>`. If several topics fit, returns the longest: a
 * retry topic instead of the topic it is named after.
 */
function topicOf(groupId: string, topics: readonly string[]): string | undefined {
  return topics
    .filter((topic) => groupId.startsWith(`${topic}.`))
    .sort((a, b) => b.length - a.length)
    .at(0);
}

async function ask<T>({ signal }: Abortable, question: () => Promise<T>, topic = ""): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await question();
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : fromKafka(error, topic);
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
