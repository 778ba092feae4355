import { isIP } from "node:net";
import {
  Admin,
  type BaseOptions,
  ConfigResourceTypes,
  ListOffsetTimestamps,
  type SASLMechanismValue,
} from "@platformatic/kafka";
import type { KafkaClient } from "../client.ts";
import { hasCode } from "../errors.ts";
import {
  connectMs,
  type KafkaOptions,
  passwordOf,
  requestMs,
  type SaslOptions,
  tlsOf,
  usernameOf,
} from "../options.ts";
import { PlatformaticMember } from "./member.ts";
import { readLogs } from "./read.ts";
import { createSender } from "./send.ts";

/** Connects with @platformatic/kafka. Rejects if no broker responds. */
export async function connectPlatformatic(options: KafkaOptions): Promise<KafkaClient> {
  const base = baseOptions(options);
  const admin = new Admin(base);
  const sender = createSender(base, retryDelayMs);
  const partitions = async (names: readonly string[]) => {
    const { topics } = await admin.metadata({ topics: [...names], forceUpdate: true });
    return new Map([...topics].map(([name, { partitionsCount }]) => [name, partitionsCount]));
  };
  const ping = async () => {
    await admin.metadata({ topics: [], forceUpdate: true });
  };
  const offsetsAt = async (topic: string, count: number, timestamp: bigint) => {
    const wanted = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp }));
    const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions: wanted }] });
    return new Map(found?.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]));
  };
  const close = async () => {
    await Promise.allSettled([admin.close(), sender[Symbol.asyncDispose]()]);
  };
  try {
    await ping();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ping,
    topics: async () => await admin.listTopics(),
    partitions,
    createTopics: async (topics, count, config) => {
      const configs = Object.entries(config).map(([name, value]) => ({ name, value }));
      try {
        await admin.createTopics({ topics: [...topics], partitions: count, configs });
      } catch (error) {
        // Another process may have created the topic meanwhile.
        if (!hasCode(error, "TOPIC_ALREADY_EXISTS")) throw error;
      }
    },
    topicConfig: async (topic, name) => {
      const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configurationKeys: [name] };
      const [described] = await admin.describeConfigs({ resources: [resource] });
      return described?.configs[0]?.value ?? undefined;
    },
    send: async (topic, records) => await sender.send(topic, records),
    offsets: async (topic) => {
      const count = (await partitions([topic])).get(topic) ?? 0;
      const [low, high] = await Promise.all([
        offsetsAt(topic, count, ListOffsetTimestamps.EARLIEST),
        offsetsAt(topic, count, ListOffsetTimestamps.LATEST),
      ]);
      return Array.from({ length: count }, (_, partition) => ({
        partition,
        low: low.get(partition) ?? 0n,
        high: high.get(partition) ?? 0n,
      }));
    },
    groups: async () => [...(await admin.listGroups()).keys()],
    committed: async (groupId, topic) => {
      const [group] = await admin.listConsumerGroupOffsets({ groups: [groupId] });
      const found = group?.topics.find(({ name }) => name === topic)?.partitions ?? [];
      const positions = found.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset] as const);
      return new Map(positions.filter(([, offset]) => offset >= 0n));
    },
    member: (member, events) => new PlatformaticMember(base, member, events),
    read: async (ends, visit, signal) => await readLogs(base, ends, visit, signal),
    [Symbol.asyncDispose]: close,
  };
}

function retryDelayMs(attempt: number): number {
  return Math.min(50 * 2 ** attempt, 1_000);
}

function baseOptions(options: KafkaOptions): BaseOptions {
  const { clientId, brokers, sasl } = options;
  const tls = tlsOf(options);
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: connectMs,
    // A connection whose request timed out is closed, because the network may have dropped it
    // silently.
    requestTimeout: requestMs,
    // Only one layer retries at a time: the client inside a call for about 3 s, and our code around
    // whole calls where that is safe.
    retries: 6,
    retryDelay: (_client, _operation, attempt) => retryDelayMs(attempt),
    // Errors refresh the metadata too. By age it is refreshed as rarely as in Kafka's own client.
    metadataMaxAge: 300_000,
    // A TLS server name may not be an IP address, and the client has one choice for all brokers.
    // The certificate is verified for the broker's host either way.
    ...(tls === undefined ? {} : { tls, tlsServerName: !brokers.some(isByAddress) }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
  };
}

function isByAddress(broker: string): boolean {
  return isIP(broker.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1")) !== 0;
}

function saslOf(sasl: SaslOptions) {
  const mechanism = sasl.mechanism.toUpperCase() as SASLMechanismValue;
  return { mechanism, username: () => usernameOf(sasl), password: () => passwordOf(sasl) };
}
