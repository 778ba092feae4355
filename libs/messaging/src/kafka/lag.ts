import type { KafkaClient } from "./client.ts";

/**
 * Returns the number of messages of the topic that the group has not handled. Deleted messages do
 * not count.
 */
export async function groupLag(client: KafkaClient, topic: string, groupId: string): Promise<number> {
  const [offsets, committed] = await Promise.all([client.offsets(topic), client.committed(groupId, topic)]);
  return offsets
    .map(({ partition, low, high }) => Number(high - later(low, committed.get(partition) ?? 0n)))
    .reduce((sum, lag) => sum + lag, 0);
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
