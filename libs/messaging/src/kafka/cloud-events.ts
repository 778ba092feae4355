import type { Message } from "../message.ts";
import type { IncomingRecord, OutgoingRecord } from "./client.ts";

/**
 * CloudEvents' Kafka protocol binding 1.0 in binary mode: attributes are headers with the prefix
 * `ce_`, the data is the value, and the key is the record's key. The trace context keeps its W3C
 * names, so that tools without CloudEvents find it.
 */

const attributes = new Set([
  "ce_specversion",
  "ce_id",
  "ce_source",
  "ce_type",
  "ce_time",
  "ce_subject",
  "content-type",
]);

/**
 * Returns the record of a message. The caller chooses the partition, so that all adapters put a key
 * into the same one.
 *
 * The record has no timestamp of its own, so the client sets the time of sending. The broker
 * deletes by that time: a replayed dead letter with the time of its event could be deleted before
 * it is handled. The broker also rejects times in its future.
 */
export function toRecord(message: Message, partition: number): OutgoingRecord {
  return {
    key: message.key,
    value: Buffer.from(message.data.buffer, message.data.byteOffset, message.data.byteLength),
    partition,
    headers: {
      ...message.headers,
      ce_specversion: "1.0",
      ce_id: message.id,
      ce_source: message.source,
      ce_type: message.type,
      ce_time: message.time.toISOString(),
      "content-type": message.contentType,
    },
  };
}

/**
 * Returns the message of a record. A record of another producer, without CloudEvents attributes,
 * gets its location as its id, which is the same at each delivery. Its type is empty, and the
 * handler decides.
 */
export function toMessage(record: IncomingRecord, topic: string, partition: number): Message {
  const { headers } = record;
  const rest: Record<string, string> = {};
  for (const [name, text] of headers) if (!attributes.has(name)) rest[name.toLowerCase()] = text;
  const time = new Date(headers.get("ce_time") ?? record.timestamp);
  return {
    id: headers.get("ce_id") ?? `${partition}-${record.offset}`,
    source: headers.get("ce_source") ?? `kafka:${topic}`,
    type: headers.get("ce_type") ?? "",
    key: record.key?.toString() ?? "",
    time: Number.isNaN(time.getTime()) ? new Date(0) : time,
    contentType: headers.get("content-type") ?? "application/octet-stream",
    data: record.value ?? new Uint8Array(),
    headers: rest,
  };
}
