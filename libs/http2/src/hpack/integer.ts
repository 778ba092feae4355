import { HpackError } from "./error.ts";

/** A position in a header block. One per decoder, so that reading allocates nothing. */
export interface Cursor {
  bytes: Buffer;
  at: number;
  end: number;
}

/**
 * Reads an integer whose first octet ends in `bits` bits of it (RFC 7541, 5.1). At most 2^28, far
 * above every length here.
 */
export function readInteger(cursor: Cursor, bits: number): number {
  if (cursor.at >= cursor.end) throw new HpackError("the header block ends where an integer was expected");
  const mask = (1 << bits) - 1;
  let value = cursor.bytes[cursor.at++]! & mask;
  if (value < mask) return value;
  for (let shift = 0; shift <= 21; shift += 7) {
    if (cursor.at >= cursor.end) throw new HpackError("the header block ends within an integer");
    const octet = cursor.bytes[cursor.at++]!;
    value += (octet & 0x7f) << shift;
    if (octet < 0x80) return value;
  }
  throw new HpackError("an integer is longer than any length can be");
}

/**
 * Writes `value` below the pattern `first`, and returns the position after it. The caller has
 * reserved 6 octets.
 */
export function writeInteger(bytes: Uint8Array, at: number, first: number, bits: number, value: number): number {
  const mask = (1 << bits) - 1;
  if (value < mask) {
    bytes[at++] = first | value;
    return at;
  }
  bytes[at++] = first | mask;
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}
