/**
 * Order ids are UUIDs of version 7. Their text sorts by the millisecond they were made in, so
 * "newest first" is an index scan.
 */

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

declare const brand: unique symbol;

/** The id of an order: a version 7 UUID in its canonical form, lower case. */
export type OrderId = string & { readonly [brand]: true };

/** Returns the text as the id of an order, or undefined if it cannot be one. */
export function parseOrderId(text: string): OrderId | undefined {
  return pattern.test(text) ? (text as OrderId) : undefined;
}

/** Returns the Unix milliseconds at which an id was made. */
export function timeOf(id: OrderId): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/**
 * Creates a UUID of RFC 9562, section 5.7: 48 bits of Unix milliseconds, the version, 12 random
 * bits, the variant, 62 random bits. `random` is ten random bytes. Ids of one millisecond have no
 * order among themselves.
 */
export function uuidV7(unixMs: number, random: Uint8Array): OrderId {
  if (!Number.isSafeInteger(unixMs) || unixMs < 0 || unixMs >= 2 ** 48) throw new RangeError("time outside 48 bits");
  if (random.length !== 10) throw new RangeError("ten random bytes are needed");
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(unixMs / 2 ** 32));
  view.setUint32(2, unixMs % 2 ** 32);
  bytes.set(random, 6);
  view.setUint8(6, 0x70 | (view.getUint8(6) & 0x0f));
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as OrderId;
}
