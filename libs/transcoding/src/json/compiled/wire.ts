/**
 * Thrown, and caught by the transcoder, for whatever is not worth a fast way, or not right: the general way then reads the
 * same bytes, and what it says of them is what counts. Made once, as a stack would say nothing.
 */
export const needsGeneralPath = new Error("not for the fast way");

/** The types of the wire format that proto3 has. */
export const wireTypes = { varint: 0, bits64: 1, lengthDelimited: 2, bits32: 5 } as const;

/** Reads the wire format of one message strictly: what only a broken or odd encoder writes is {@link needsGeneralPath}. */
export class Wire {
  pos = 0;
  readonly #bytes: Buffer;
  /** All bytes as one string, made once: a piece of it is cheaper than a call for each. */
  #latin1: string | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** (field number << 3) | wire type. */
  tag(): number {
    const start = this.pos;
    const tag = this.varint32();
    const length = this.pos - start;
    if (length > 4 && (length > 5 || (this.#bytes[start + 4] as number) > 0x0f)) throw needsGeneralPath;
    return tag;
  }

  /** A length, and where what it measures ends. */
  end(): number {
    const length = this.varint32();
    return this.#within(this.pos + length);
  }

  /** The low 32 bits of a varint. */
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

  /** The 64 bits of a varint: a number while that is exact and cheap, up to 7 bytes. */
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

  /** A string field as JSON text. */
  quoted(): string {
    const end = this.end();
    const start = this.pos;
    const bytes = this.#bytes;
    this.pos = end;
    let at = start;
    while (at < end && isSafe(bytes[at] as number)) at += 1;
    if (at === end) return `"${this.#slice(start, end)}"`;
    const text = bytes.toString("utf8", start, end);
    // It may have stood there, or stand for bytes that are no UTF-8.
    if (text.includes("\ufffd")) throw needsGeneralPath;
    return JSON.stringify(text);
  }

  /** A bytes field as JSON text. */
  base64(): string {
    return `"${this.nested().toString("base64")}"`;
  }

  /** The bytes of a nested message. */
  nested(): Buffer {
    const end = this.end();
    const start = this.#take(end - this.pos);
    return this.#bytes.subarray(start, end);
  }

  /** Passes over a field that nobody knows. */
  skip(wireType: number): void {
    if (wireType === wireTypes.varint) this.varint64();
    else if (wireType === wireTypes.bits64) this.#take(8);
    else if (wireType === wireTypes.lengthDelimited) this.pos = this.end();
    else if (wireType === wireTypes.bits32) this.#take(4);
    else throw needsGeneralPath;
  }

  /** Where the next `count` bytes begin. */
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

/** ASCII that stands in a JSON string as it is. */
function isSafe(byte: number): boolean {
  return byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c;
}
