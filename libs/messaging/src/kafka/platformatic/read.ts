import { type BaseOptions, type ConnectionPool, Consumer, ListOffsetTimestamps } from "@platformatic/kafka";
import { onAbort } from "@plumbline/concurrency";
import type { PartitionEnd, ReadVisitor } from "../client.ts";
import { decode } from "./fetch.ts";
import { readablePool } from "./readable-fetches.ts";

const maxBytes = 1_048_576;

/** Reads partition by partition, without joining a group. */
export async function readLogs(
  base: BaseOptions,
  ends: readonly PartitionEnd[],
  visit: ReadVisitor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const consumer = new Consumer({ ...base, groupId: "messaging-inspector" });
  const pool = readablePool(base);
  const close = async () => {
    await Promise.all([consumer.close(), pool.close()]);
  };
  using _aborted = onAbort(signal, () => void close().catch(() => undefined));
  try {
    for (const end of ends) {
      signal?.throwIfAborted();
      consumer.topics.track(end.topic);
      await readPartition(consumer, pool, end, visit);
    }
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    await close();
  }
}

async function readPartition(
  consumer: Consumer,
  connectionPool: ConnectionPool,
  { topic, partition, end }: PartitionEnd,
  visit: ReadVisitor,
) {
  const found = (await consumer.metadata({ topics: [topic] })).topics.get(topic);
  const timestamp = ListOffsetTimestamps.EARLIEST;
  const oldest = await consumer.listOffsets({ topics: [topic], partitions: { [topic]: [partition] }, timestamp });
  let position = oldest.get(topic)?.[partition] ?? end;
  while (position < end) {
    const from = { fetchOffset: position, partitionMaxBytes: maxBytes, currentLeaderEpoch: -1, lastFetchedEpoch: -1 };
    const { responses } = await consumer.fetch({
      node: found?.partitions[partition]?.leader ?? -1,
      connectionPool,
      maxWaitTime: 100,
      maxBytes,
      topics: [{ topicId: found?.id ?? "", partitions: [{ partition, ...from }] }],
    });
    const fetched = responses[0]?.partitions[0];
    if (fetched === undefined) continue;
    const { records, next } = decode(fetched, position);
    for (const record of records) if (record.offset < end) visit(topic, partition, record);
    // After the last stable offset there is an open transaction, whose outcome is not known.
    if (next === position && fetched.lastStableOffset <= position) return;
    position = next;
  }
}
