import { randomUUID } from "node:crypto";

/**
 * One fact or request on its way between services, in the words of CloudEvents 1.0. `source` and `id` together name it
 * for ever: a copy that is delivered again carries the same pair, which is what an inbox remembers.
 */
export interface Message {
  /** Unique within `source`. */
  readonly id: string;
  /** Who says it, as a URI reference: `/plumbline/orders`. */
  readonly source: string;
  /** What it is: the full name of the protobuf message, `orders.v1.OrderPlaced`. */
  readonly type: string;
  /** What it is about. Messages of one key stay in order; the empty key is a key like any other. */
  readonly key: string;
  /** When it happened, which is before it was published. */
  readonly time: Date;
  readonly contentType: string;
  readonly data: Uint8Array;
  /** Names in lower case. Trace context travels here (W3C `traceparent`). */
  readonly headers: Readonly<Record<string, string>>;
}

/** A message with an id of its own and the present time, unless they are given. */
export function createMessage(fields: Omit<Message, "id" | "time" | "headers"> & Partial<Message>): Message {
  return { id: randomUUID(), time: new Date(), headers: {}, ...fields };
}

/** A copy of `message` with these headers added; a header of the same name is replaced. */
export function withHeaders(message: Message, headers: Readonly<Record<string, string>>): Message {
  return { ...message, headers: { ...message.headers, ...headers } };
}

/** Headers this library adds to a message that was given up, beside its trace context. They do not count as size: a message at the limit must fit its dead-letter topic. */
export const ownHeader = "plumbline-";

/** What counts towards a broker's limit: data, attributes and headers in UTF-8, without the adapter's own framing. */
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
