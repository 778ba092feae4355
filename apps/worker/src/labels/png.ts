import { crc32, deflateSync } from "node:zlib";

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/**
 * Returns a PNG of one bit per pixel, 0 for black and 1 for white. `rows` has the rows from top to
 * bottom: for each a filter byte of 0 (none), then its pixels, the leftmost in the highest bit.
 */
export function encodePng(width: number, height: number, rows: Uint8Array): Uint8Array {
  const header = Buffer.alloc(13); // All that is not set is 0: greyscale, deflate, no interlacing.
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1; // bits per pixel
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND")]);
}

/** Returns one chunk: its length, its type, its data, and the CRC of the last two. */
function chunk(type: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), data.length + 8);
  return bytes;
}
