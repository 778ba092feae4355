import { randomUUID } from "node:crypto";

/**
 * A fact or a request on its way between services, with the attributes of CloudEvents 1.0. `source`
 * and `id` together identify it: a redelivered copy has the same pair, and an inbox recognizes it
 * by that pair.
 */
export interface Message {
  /** Unique within `source`. */
  readonly id: string;
  /** The sender, a URI reference: `/plumbline/orders`. */
  readonly source: string;
  /** The full name of the protobuf message: `orders.v1.OrderPlaced`. */
  readonly type: string;
  /** The subject. Messages of one key stay in order. The empty key is a key like any other. */
  readonly key: string;
  /** The time of the event, which is before the time of publishing. */
  readonly time: Date;
  readonly contentType: string;
  readonly data: Uint8Array;
  /** Names are in lower case. The trace context travels here (W3C `traceparent`). */
  readonly headers: Readonly<Record<string, string>>;
}

/** Returns a message with a new id and the present time, unless the fields contain them. */
export function createMessage(fields: Omit<Message, "id" | "time" | "headers"> & Partial<Message>): Message {
  return { id: randomUUID(), time: new Date(), headers: {}, ...fields };
}

/**
 * Returns a copy of the message with these headers added. A header of the same name is replaced.
 */
export function withHeaders(message: Message, headers: Readonly<Record<string, string>>): Message {
  return { ...message, headers: { ...message.headers, ...headers } };
}

/**
 * The prefix of the headers that this library adds to a failed message. They do not count as size,
 * because a message at the limit must fit into its dead-letter topic.
 */
export const ownHeader = "plumbline-";

/**
 * Returns the size that counts towards a broker's limit: data, attributes and headers in UTF-8,
 * without the framing of an adapter.
 */
export function sizeOf(message: Message): number {
  let bytes = message.data.byteLength;
  for (const text of [message.id, message.source, message.type, message.key, message.contentType]) {
    bytes += Buffer.byteLength(text);
  }
  for (const [name, value] of Object.entries(message.headers)) {
    if (!name.startsWith(ownHeader) && name !== "traceparent")
      bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  return bytes;
}
