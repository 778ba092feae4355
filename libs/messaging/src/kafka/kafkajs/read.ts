import { randomUUID } from "node:crypto";
import { onAbort } from "@plumbline/concurrency";
import type { Admin, Kafka } from "kafkajs";
import type { PartitionEnd, ReadVisitor } from "../client.ts";
import { toIncoming } from "./member.ts";

/**
 * Reads in a temporary group that commits nothing, because kafkajs cannot fetch without a group.
 */
export async function readLogs(
  kafka: Kafka,
  admin: Admin,
  ends: readonly PartitionEnd[],
  visit: ReadVisitor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const groupId = `messaging-inspector.${randomUUID()}`;
  try {
    await readInGroup(kafka, groupId, ends, visit, signal);
  } finally {
    // If this fails, the broker removes the group by itself, because it committed nothing.
    await admin.deleteGroups([groupId]).catch(() => undefined);
  }
}

async function readInGroup(
  kafka: Kafka,
  groupId: string,
  ends: readonly PartitionEnd[],
  visit: ReadVisitor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 4, restartOnFailure: async () => false },
  });
  const done = Promise.withResolvers<void>();
  const open = new Map(ends.map(({ topic, partition, end }) => [`${topic}:${partition}`, end]));
  consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error));
  // kafkajs calls no handler for a batch of markers and aborted records only.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
    const name = `${topic}:${partition}`;
    if (BigInt(lastOffset) + 1n >= (open.get(name) ?? Infinity)) open.delete(name);
    if (open.size === 0) done.resolve();
  });
  using _aborted = onAbort(signal, () => done.reject(signal?.reason));
  // An abort during the connect rejects this promise before anything awaits it.
  done.promise.catch(() => undefined);
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [...new Set(ends.map(({ topic }) => topic))], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: 1,
      eachBatch: async ({ batch }) => {
        const { topic, partition, messages } = batch;
        const end = open.get(`${topic}:${partition}`);
        if (end === undefined) return;
        try {
          for (const record of messages.map(toIncoming)) if (record.offset < end) visit(topic, partition, record);
        } catch (error) {
          done.reject(error);
        }
      },
    });
    await done.promise;
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    await consumer.disconnect().catch(() => undefined);
  }
}
