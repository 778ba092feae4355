import { type Abortable, onAbort } from "@plumbline/concurrency";
import type { Kafka } from "kafkajs";
import { toMessage } from "../kafka/cloud-events.ts";
import { fromKafka } from "../kafka/errors.ts";
import type { LogEntry } from "./inspector.ts";

/**
 * Reads each partition from its oldest message up to `ends` ("topic:partition" -> offset of the end) in a group of its
 * own that commits nothing: kafkajs can fetch in no other way.
 */
export async function readKafka(
  kafka: Kafka,
  groupId: string,
  topics: readonly string[],
  ends: ReadonlyMap<string, bigint>,
  visit: (entry: LogEntry) => void,
  { signal }: Abortable,
): Promise<void> {
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 4, restartOnFailure: async () => false },
  });
  const done = Promise.withResolvers<void>();
  const open = new Set(ends.keys());
  consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(fromKafka(payload.error, topics.join(", "))));
  using _aborted = onAbort(signal, () => done.reject(signal?.reason));
  // An abort while it still connects rejects this before anybody waits for it.
  done.promise.catch(() => undefined);
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: 1,
      eachBatch: async ({ batch }) => {
        const { topic, partition, messages } = batch;
        const name = `${topic}:${partition}`;
        const end = ends.get(name) ?? 0n;
        if (!open.has(name)) return;
        try {
          for (const record of messages) {
            const offset = BigInt(record.offset);
            if (offset < end) visit({ topic, partition, offset, message: toMessage(record, topic, partition) });
          }
        } catch (error) {
          done.reject(error);
        }
        if (BigInt(batch.lastOffset()) + 1n >= end) open.delete(name);
        if (open.size === 0) done.resolve();
      },
    });
    await done.promise;
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    await consumer.disconnect().catch(() => undefined);
  }
}
