import type { IHeaders, KafkaMessage, Message as ProducerMessage } from "kafkajs";
import type { Message } from "../message.ts";

/*
 * CloudEvents' Kafka protocol binding 1.0, binary mode: attributes are headers with the prefix `ce_`, the data is the
 * value, the key is the record's key. Trace context keeps the names W3C gave it, so tools that know no CloudEvents find it.
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
 * `partition` is chosen by the caller, so that every adapter and this one agree on a key's neighbours.
 *
 * The record's timestamp is left to the moment of sending: the broker deletes by it, so with the event's own time a dead
 * letter replayed after the retention would be deleted before it is handled, and it refuses times in its future.
 */
export function toRecord(message: Message, partition: number): ProducerMessage {
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
 * A record that is no CloudEvent, from a producer that knows none, still gets a name that is the same at each delivery:
 * where it lies. Its type is empty, and the handler decides what to make of it.
 */
export function toMessage(record: KafkaMessage, topic: string, partition: number): Message {
  const headers = record.headers ?? {};
  const rest: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    if (!attributes.has(name)) rest[name.toLowerCase()] = text(headers, name) ?? "";
  }
  const time = new Date(text(headers, "ce_time") ?? Number(record.timestamp));
  return {
    id: text(headers, "ce_id") ?? `${partition}-${record.offset}`,
    source: text(headers, "ce_source") ?? `kafka:${topic}`,
    type: text(headers, "ce_type") ?? "",
    key: record.key?.toString() ?? "",
    time: Number.isNaN(time.getTime()) ? new Date(0) : time,
    contentType: text(headers, "content-type") ?? "application/octet-stream",
    data: record.value ?? new Uint8Array(),
    headers: rest,
  };
}

/** Kafka allows a header several times; the last one counts. */
function text(headers: IHeaders, name: string): string | undefined {
  const value = headers[name];
  return (Array.isArray(value) ? value.at(-1) : value)?.toString();
}
