/**
 * Thrown for input that is invalid or not worth a fast path. The caller catches it, and the general
 * path decides about the same input. One shared object, since its stack is never read.
 */
export const needsGeneralPath = new Error("needs the general path");

/** The types of the wire format that proto3 has. */
export const wireTypes = { varint: 0, bits64: 1, lengthDelimited: 2, bits32: 5 } as const;

/**
 * A strict reader of the wire format. Throws {@link needsGeneralPath} for bytes that regular
 * encoders do not write.
 */
export class Wire {
  pos = 0;
  readonly #bytes: Buffer;
  /** All bytes as one string. Slicing it is cheaper than one decoding call per field. */
  #latin1: string | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Reads a tag: (field number << 3) | wire type. */
  tag(): number {
    const start = this.pos;
    const tag = this.varint32();
    const length = this.pos - start;
    if (length > 4 && (length > 5 || (this.#bytes[start + 4] as number) > 0x0f)) throw needsGeneralPath;
    return tag;
  }

  /** Reads a length. Returns the position at which that many bytes end. */
  end(): number {
    const length = this.varint32();
    return this.#within(this.pos + length);
  }

  /** Reads a varint and returns its low 32 bits. */
  varint32(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.pos++];
    let bits = 0;
    for (let shift = 0; shift < 70 && byte !== undefined; shift += 7) {
      if (shift < 32) bits |= (byte & 0x7f) << shift;
      if (byte < 0x80) return bits >>> 0;
      byte = bytes[this.pos++];
    }
    throw needsGeneralPath;
  }

  /** Reads a varint of 64 bits: a number up to 7 bytes, which is exact and cheap, else a bigint. */
  varint64(): number | bigint {
    const bytes = this.#bytes;
    const start = this.pos;
    let value = 0;
    let unit = 1;
    for (let byte = bytes[this.pos++]; byte !== undefined && this.pos - start <= 7; byte = bytes[this.pos++]) {
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
      unit *= 128;
    }
    this.pos = start;
    let long = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[this.pos++];
      if (byte === undefined) break;
      long |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, long);
    }
    throw needsGeneralPath;
  }

  float(): number {
    return this.#bytes.readFloatLE(this.#take(4));
  }
  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }
  fixed32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }
  fixed64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  /** Reads a string field as JSON text. */
  quoted(): string {
    const end = this.end();
    const start = this.pos;
    const bytes = this.#bytes;
    this.pos = end;
    let at = start;
    while (at < end && isSafe(bytes[at] as number)) at += 1;
    if (at === end) return `"${this.#slice(start, end)}"`;
    const text = bytes.toString("utf8", start, end);
    // Either part of the text, or a replacement for bytes that are not UTF-8.
    if (text.includes("\ufffd")) throw needsGeneralPath;
    return JSON.stringify(text);
  }

  /** Reads a bytes field as JSON text. */
  base64(): string {
    return `"${this.nested().toString("base64")}"`;
  }

  /** Returns the bytes of a nested message. */
  nested(): Buffer {
    const end = this.end();
    const start = this.#take(end - this.pos);
    return this.#bytes.subarray(start, end);
  }

  /** Skips an unknown field. */
  skip(wireType: number): void {
    if (wireType === wireTypes.varint) this.varint64();
    else if (wireType === wireTypes.bits64) this.#take(8);
    else if (wireType === wireTypes.lengthDelimited) this.pos = this.end();
    else if (wireType === wireTypes.bits32) this.#take(4);
    else throw needsGeneralPath;
  }

  /** Skips `count` bytes and returns the position of the first. */
  #take(count: number): number {
    const start = this.pos;
    this.pos = this.#within(start + count);
    return start;
  }

  #within(end: number): number {
    if (end > this.#bytes.length) throw needsGeneralPath;
    return end;
  }

  #slice(start: number, end: number): string {
    this.#latin1 ??= this.#bytes.toString("latin1");
    return this.#latin1.slice(start, end);
  }
}

/** Returns true for ASCII that needs no escape in a JSON string. */
function isSafe(byte: number): boolean {
  return byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c;
}
