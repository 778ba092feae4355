const firstBytes = 256;
const nothing = new Uint8Array();

/**
 * A writer of protobuf into one buffer, which grows up to `limit` bytes and is used again. Text and
 * nested messages are written in one pass: their length is filled in behind them.
 */
export class ProtobufWriter {
  readonly #limit: number;
  #buffer = Buffer.allocUnsafe(firstBytes);
  #at = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#at;
  }

  /** Drops the bytes from `length` on. */
  cut(length: number): void {
    this.#at = length;
  }

  /** Returns a copy of the bytes so far, behind `head`. */
  copy(head: Uint8Array = nothing): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(head.length + this.#at);
    bytes.set(head);
    bytes.set(this.#buffer.subarray(0, this.#at), head.length);
    return bytes;
  }

  varint(field: number, value: number): void {
    this.#tag(field, 0);
    this.#varint(value);
  }

  /** Writes a whole number as int64, negative ones too. */
  int64(field: number, value: number): void {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return this.varint(field, value);
    this.#tag(field, 0);
    let rest = BigInt.asUintN(64, BigInt(value));
    this.#reserve(10);
    for (; rest > 127n; rest >>= 7n) this.#buffer[this.#at++] = Number(rest & 127n) | 128;
    this.#buffer[this.#at++] = Number(rest);
  }

  fixed32(field: number, value: number): void {
    this.#tag(field, 5);
    this.#reserve(4);
    this.#at = this.#buffer.writeUInt32LE(value, this.#at);
  }

  double(field: number, value: number): void {
    this.#tag(field, 1);
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  /** Writes milliseconds since 1970, with a fraction, as nanoseconds in a fixed64. */
  nanoseconds(field: number, milliseconds: number): void {
    this.#tag(field, 1);
    this.#reserve(8);
    // In two halves of 32 bits, because a double holds no such number of nanoseconds.
    const whole = Math.floor(milliseconds);
    const high = Math.floor(whole / 0x10000) * 1e6;
    const low = (whole % 0x10000) * 1e6 + Math.floor((milliseconds - whole) * 1e6) + (high % 0x10000) * 0x10000;
    this.#at = this.#buffer.writeUInt32LE(low % 0x100000000, this.#at);
    this.#at = this.#buffer.writeUInt32LE(Math.floor(high / 0x10000) + Math.floor(low / 0x100000000), this.#at);
  }

  /** Writes the bytes of hexadecimal digits. */
  hex(field: number, digits: string): void {
    this.#tag(field, 2);
    const bytes = digits.length >>> 1;
    this.#varint(bytes);
    this.#reserve(bytes);
    for (let at = 0; at < bytes; at++) {
      this.#buffer[this.#at++] = (nibble(digits.charCodeAt(2 * at)) << 4) | nibble(digits.charCodeAt(2 * at + 1));
    }
  }

  text(field: number, value: string): void {
    this.#tag(field, 2);
    if (value.length < 128 && this.#ascii(value)) return;
    const bytes = Buffer.byteLength(value);
    this.#varint(bytes);
    this.#reserve(bytes);
    this.#at += this.#buffer.write(value, this.#at, bytes, "utf8");
  }

  /** Writes the tag and length of a nested message whose bytes follow. */
  prefix(field: number, length: number): void {
    this.#tag(field, 2);
    this.#varint(length);
  }

  /** Writes bytes as they are: fields that were written before. */
  raw(fields: Uint8Array): void {
    this.#reserve(fields.length);
    this.#buffer.set(fields, this.#at);
    this.#at += fields.length;
  }

  /** Begins a nested message and returns its mark for `close`. */
  open(field: number): number {
    this.#tag(field, 2);
    this.#reserve(1);
    return ++this.#at;
  }

  /** Ends a nested message. */
  close(mark: number): void {
    const length = this.#at - mark;
    if (length >= 128) {
      // The length takes more than the byte that was left for it.
      const more = varintBytes(length) - 1;
      this.#reserve(more);
      this.#buffer.copyWithin(mark + more, mark, this.#at);
    }
    this.#at = mark - 1;
    this.#varint(length);
    this.#at += length;
  }

  #ascii(value: string): boolean {
    const { length } = value;
    this.#reserve(length + 1);
    const buffer = this.#buffer;
    const from = this.#at + 1;
    for (let at = 0; at < length; at++) {
      const code = value.charCodeAt(at);
      if (code > 127) return false;
      buffer[from + at] = code;
    }
    buffer[this.#at] = length;
    this.#at = from + length;
    return true;
  }

  #tag(field: number, type: number): void {
    this.#varint((field << 3) | type);
  }

  #varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#buffer[this.#at++] = (rest % 128) | 128;
    this.#buffer[this.#at++] = rest;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    if (needed > this.#limit) throw new RangeError(`a message takes more than ${this.#limit} bytes`);
    const larger = Buffer.allocUnsafe(Math.min(this.#limit, Math.max(needed, 2 * this.#buffer.length)));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Returns the value of a hexadecimal digit in lower case. */
function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}
