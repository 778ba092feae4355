import type { Message } from "../message.ts";

const maxShown = 4_096;

/** Returns an event as JSON, or undefined if the type is unknown or the data cannot be decoded. */
export type EventToJson = (type: string, data: Uint8Array) => string | undefined;

/**
 * Returns a message's data in a form for people: a known event as JSON, text as it is, and anything
 * else in hexadecimal. Shows at most 4 KiB of the latter two.
 */
export function readableData({ contentType, type, data }: Message, eventToJson: EventToJson): string {
  const json = contentType === "application/protobuf" ? eventToJson(type, data) : undefined;
  if (json !== undefined) return json;
  const bytes = Buffer.from(data.subarray(0, maxShown));
  const isText = contentType.startsWith("text/") || contentType.includes("json");
  const cut = data.byteLength > maxShown ? ` ... ${data.byteLength} bytes` : "";
  return `${isText ? bytes.toString() : bytes.toString("hex")}${cut}`;
}
