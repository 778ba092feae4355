import { type Consumer, IS_CONTROL, IS_TRANSACTIONAL, type KafkaRecord } from "@platformatic/kafka";
import type { IncomingRecord } from "../client.ts";

export type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;
export type FetchedPartition = FetchResponse["responses"][number]["partitions"][number];

/** The records of a fetched partition. */
export interface Decoded {
  readonly records: readonly IncomingRecord[];
  /** The offset to fetch next, after the markers and aborted records that are skipped. */
  readonly next: bigint;
}

/**
 * Returns a fetched partition's committed records from `position` on. A batch may start earlier.
 */
export function decode({ records: batches, abortedTransactions }: FetchedPartition, position: bigint): Decoded {
  const upcoming = [...(abortedTransactions ?? [])].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const aborted = new Set<bigint>();
  const records: IncomingRecord[] = [];
  let next = position;
  for (const { firstOffset, lastOffsetDelta, firstTimestamp, attributes, producerId, records: found } of batches ??
    []) {
    const last = firstOffset + BigInt(lastOffsetDelta);
    if (last < position) continue;
    next = last + 1n;
    for (; upcoming[0] !== undefined && upcoming[0].firstOffset <= last; upcoming.shift()) {
      aborted.add(upcoming[0].producerId);
    }
    if ((attributes & IS_CONTROL) !== 0) aborted.delete(producerId);
    else if ((attributes & IS_TRANSACTIONAL) === 0 || !aborted.has(producerId)) {
      for (const record of found) {
        const offset = firstOffset + BigInt(record.offsetDelta);
        if (offset >= position) records.push(toIncoming(record, offset, firstTimestamp));
      }
    }
  }
  return { records, next };
}

function toIncoming(record: KafkaRecord, offset: bigint, firstTimestamp: bigint): IncomingRecord {
  return {
    offset,
    timestamp: Number(firstTimestamp + record.timestampDelta),
    key: record.key,
    value: record.value,
    headers: new Map(record.headers.map(([name, value]) => [String(name), String(value ?? "")])),
  };
}
