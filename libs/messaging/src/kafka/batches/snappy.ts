/**
 * Decoding of Snappy's raw format, and of the framing that Java clients put around it (xerial). The
 * uncompressed size stands in front of each block and is checked before anything is allocated.
 */
import { Inflated } from "./inflated.ts";

const xerial = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const xerialHeaderBytes = 16;

/**
 * Returns the decoded bytes. Throws if they are more than `maxBytes`, or if the data is invalid.
 */
export function inflateSnappy(data: Buffer, maxBytes: number): Buffer {
  const out = new Inflated(maxBytes);
  if (!data.subarray(0, xerial.length).equals(xerial)) {
    inflateBlock(data, out);
    return out.bytes();
  }
  for (let at = xerialHeaderBytes; at < data.length; ) {
    const length = data.readUInt32BE(at);
    at += 4;
    if (at + length > data.length) throw new RangeError("snappy: a block is cut off");
    inflateBlock(data.subarray(at, at + length), out);
    at += length;
  }
  return out.bytes();
}

function inflateBlock(data: Buffer, out: Inflated): void {
  let at = 0;
  let size = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = data.readUInt8(at++);
    size += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    if (shift === 28) throw new RangeError("snappy: the size is invalid");
  }
  out.expect(size);
  const start = out.length;
  while (at < data.length) {
    const tag = data.readUInt8(at++);
    const kind = tag & 3;
    if (kind === 0) {
      let length = tag >>> 2;
      if (length >= 60) {
        const width = length - 59;
        length = data.readUIntLE(at, width);
        at += width;
      }
      out.append(data, at, length + 1);
      at += length + 1;
    } else if (kind === 1) {
      out.repeat((((tag >>> 5) & 7) << 8) | data.readUInt8(at), ((tag >>> 2) & 7) + 4, start);
      at += 1;
    } else {
      const width = kind === 2 ? 2 : 4;
      out.repeat(data.readUIntLE(at, width), (tag >>> 2) + 1, start);
      at += width;
    }
  }
  if (out.length - start !== size) throw new RangeError("snappy: a block has another size than it says");
}
