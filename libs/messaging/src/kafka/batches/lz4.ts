/** Decoding of the LZ4 frame format, as Kafka's clients write it. Checksums are not verified. */
import { Inflated } from "./inflated.ts";

const frameMagic = 0x184d2204;

/**
 * Returns the decoded bytes. Throws if they are more than `maxBytes`, or if the data is invalid.
 */
export function inflateLz4(data: Buffer, maxBytes: number): Buffer {
  const out = new Inflated(maxBytes);
  for (let at = 0; at < data.length; ) at = inflateFrame(data, at, out);
  return out.bytes();
}

/** Returns the position after the frame. */
function inflateFrame(data: Buffer, start: number, out: Inflated): number {
  if (data.readUInt32LE(start) !== frameMagic) throw new RangeError("lz4: this is not a frame");
  const flags = data.readUInt8(start + 4);
  const has = (bit: number) => (flags & (1 << bit)) !== 0;
  if (flags >>> 6 !== 1 || has(0)) throw new RangeError("lz4: the version or a dictionary is not supported");
  const [independent, blockChecksums, contentSize, contentChecksum] = [has(5), has(4), has(3), has(2)];
  const frameAt = out.length;
  // After the flags: the block's size, the content's size if it is there, and a checksum.
  let at = start + 6 + (contentSize ? 8 : 0) + 1;
  for (;;) {
    const word = data.readUInt32LE(at);
    at += 4;
    if (word === 0) return at + (contentChecksum ? 4 : 0);
    const length = word & 0x7fffffff;
    if (at + length > data.length) throw new RangeError("lz4: a block is cut off");
    if (word >= 0x80000000) out.append(data, at, length);
    else inflateBlock(data.subarray(at, at + length), out, independent ? out.length : frameAt);
    at += length + (blockChecksums ? 4 : 0);
  }
}

function inflateBlock(block: Buffer, out: Inflated, start: number): void {
  let at = 0;
  const extended = (length: number): number => {
    if (length < 15) return length;
    let sum = length;
    for (;;) {
      const byte = block.readUInt8(at++);
      sum += byte;
      if (byte !== 255) return sum;
    }
  };
  while (at < block.length) {
    const token = block.readUInt8(at++);
    const literals = extended(token >>> 4);
    out.append(block, at, literals);
    at += literals;
    if (at === block.length) return; // The last sequence has no copy.
    const distance = block.readUInt16LE(at);
    at += 2;
    out.repeat(distance, extended(token & 15) + 4, start);
  }
}
