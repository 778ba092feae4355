import { randomFillSync } from "node:crypto";

const digits = Buffer.from("0123456789abcdef");
/** The place of each byte's digits in the text, between the hyphens. */
const places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const text = Buffer.alloc(36, "-");
const bytes = Buffer.alloc(16);
const random = Buffer.alloc(4_000);
let used = random.length;

/**
 * Returns a new UUIDv7, which sorts by time: `crypto.randomUUIDv7` with an eighth of its garbage.
 * That function joins 20 pieces of text, 600 bytes for each request.
 */
export function newUuid(): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  bytes.writeUIntBE(Date.now(), 0, 6);
  random.copy(bytes, 6, used, used + 10);
  used += 10;
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6); // Version 7.
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8); // The variant of RFC 9562.
  for (let at = 0; at < bytes.length; at++) {
    const place = places[at] ?? 0;
    const byte = bytes[at] ?? 0;
    text[place] = digits[byte >>> 4] ?? 0;
    text[place + 1] = digits[byte & 0x0f] ?? 0;
  }
  return text.toString("latin1");
}
