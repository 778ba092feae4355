import { retry } from "@plumbline/concurrency";
import type { Logger } from "@plumbline/telemetry";
import kafkajs, { type LogEntry } from "kafkajs";
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
import { closeSilentConnections } from "./close-silent-connections.ts";
import { KafkajsMember } from "./member.ts";
import { quietRequestQueue } from "./quiet-request-queue.ts";
import { readLogs } from "./read.ts";
import { readableFetches } from "./readable-fetches.ts";

/** Connects with kafkajs. Rejects if no broker responds. */
export async function connectKafkajs(options: KafkaOptions, logger: Logger): Promise<KafkaClient> {
  const kafka = createKafka(options, logger);
  const admin = kafka.admin();
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    // The adapter chooses the partitions. Naming a partitioner avoids kafkajs's warning about its
    // default.
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  const disconnect = async () => {
    await Promise.allSettled([admin.disconnect(), producer.disconnect()]);
  };
  try {
    await Promise.all([admin.connect(), producer.connect()]);
  } catch (error) {
    await disconnect();
    throw error;
  }
  return {
    ping: async () => {
      await pastLogin(async () => await admin.describeCluster());
    },
    topics: async () => await admin.listTopics(),
    partitions: async (names) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [...names] });
      return new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
    },
    createTopics: async (topics, numPartitions, config) => {
      const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
      // Waiting for leaders takes kafkajs seconds. The caller waits in a faster way.
      await admin.createTopics({
        waitForLeaders: false,
        topics: topics.map((topic) => ({ topic, numPartitions, configEntries })),
      });
    },
    topicConfig: async (topic, name) => {
      const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [name] };
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
      return resources[0]?.configEntries[0]?.configValue;
    },
    send: async (topic, records) => {
      const messages = records.map((record) => ({ ...record }));
      const compression = kafkajs.CompressionTypes.None;
      await pastLogin(async () => await producer.send({ topic, acks: -1, compression, messages }));
    },
    offsets: async (topic) => {
      const offsets = await admin.fetchTopicOffsets(topic);
      return offsets.map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }));
    },
    groups: async () => {
      const retryable = (error: unknown): boolean => hasCode(error, "GROUP_LOAD_IN_PROGRESS");
      const { groups } = await retry(() => admin.listGroups(), { attempts: 10, baseMs: 50, maxMs: 1_000, retryable });
      return groups.map(({ groupId }) => groupId);
    },
    committed: async (groupId, topic) => {
      const [fetched] = await admin.fetchOffsets({ groupId, topics: [topic] });
      const positions = fetched?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)] as const);
      return new Map(positions?.filter(([, offset]) => offset >= 0n));
    },
    member: (member, events) => new KafkajsMember(kafka, member, events),
    read: async (ends, visit, signal) => await readLogs(kafka, admin, ends, visit, signal),
    [Symbol.asyncDispose]: disconnect,
  };
}

/**
 * Runs `work`, and again if the broker refused a login: the password may just have changed, and a
 * connection may not authenticate again as another user. Nothing was sent on that connection. The
 * broker has closed it, and the next one logs in with the credentials in force.
 */
async function pastLogin<T>(work: () => Promise<T>): Promise<T> {
  return await retry(work, { attempts: 5, baseMs: 100, maxMs: 1_000, retryable: isLoginFailed });
}

function isLoginFailed(error: unknown): boolean {
  return error instanceof Error && /^SASL .* authentication failed/.test(error.message);
}

/**
 * Creates a kafkajs client that logs to our logger. kafkajs logs errors that it retries, so they
 * are warnings here.
 */
export function createKafka(options: KafkaOptions, logger: Logger): kafkajs.Kafka {
  quietRequestQueue();
  closeSilentConnections();
  readableFetches();
  const tls = tlsOf(options);
  return new kafkajs.Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: connectMs,
    authenticationTimeout: 5_000,
    requestTimeout: requestMs,
    // Only one layer retries at a time: kafkajs inside a call for about 3 s, and our code around
    // whole calls where that is safe.
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 6, factor: 0.2, multiplier: 2 },
    logLevel: kafkajs.logLevel.WARN,
    logCreator: () => (entry) => log(logger, entry),
    ...(tls === undefined ? {} : { ssl: tls }),
    ...(options.sasl === undefined ? {} : { sasl: saslOf(options.sasl) }),
  });
}

/**
 * Returns kafkajs's options. It has a type per mechanism, and these three differ by the name only.
 * It keeps the object, and reads it at each authentication.
 */
function saslOf(sasl: SaslOptions): kafkajs.SASLOptions {
  return {
    mechanism: sasl.mechanism as "plain",
    get username() {
      return usernameOf(sasl);
    },
    get password() {
      return passwordOf(sasl);
    },
  };
}

function log(logger: Logger, { namespace, log: { message, error, broker, groupId } }: LogEntry): void {
  logger.warn("kafka client", {
    part: namespace,
    detail: message,
    ...(error === undefined ? {} : { error: String(error) }),
    ...(broker === undefined ? {} : { broker: String(broker) }),
    ...(groupId === undefined ? {} : { group: String(groupId) }),
  });
}
