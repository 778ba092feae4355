import type { Admin } from "kafkajs";

/** Messages of the topic that the group has not handled. What retention deleted is behind nobody. */
export async function groupLag(admin: Admin, topic: string, groupId: string): Promise<number> {
  const [ends, [fetched]] = await Promise.all([
    admin.fetchTopicOffsets(topic),
    admin.fetchOffsets({ groupId, topics: [topic] }),
  ]);
  const committed = new Map(fetched?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  return ends
    .map(({ partition, high, low }) => Number(high) - Math.max(Number(low), committed.get(partition) ?? 0))
    .reduce((sum, lag) => sum + lag, 0);
}
