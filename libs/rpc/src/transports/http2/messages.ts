import { ServiceError } from "@plumbline/errors";

/** The octets before each message. */
export const prefixLength = 5;

/** Returns the five octets before a message: not compressed, and its length. */
export function prefixOf(message: Uint8Array): Uint8Array {
  const { length } = message;
  const prefix = new Uint8Array(prefixLength);
  prefix[1] = length >>> 24;
  prefix[2] = length >>> 16;
  prefix[3] = length >>> 8;
  prefix[4] = length;
  return prefix;
}

/**
 * Called with a complete message, which is still compressed if `isCompressed`. `octets` is the
 * number of octets in this push that belong to it, prefix included.
 */
export type OnMessage = (message: Uint8Array, octets: number, isCompressed: boolean) => void;

/**
 * A parser of a stream's DATA into messages. A message that is whole in one frame is a view of it.
 * One in parts is copied into a buffer that grows with the data received, to twice of it at most,
 * whatever length the prefix claims.
 */
export class MessageReader {
  /** True if the headers name an encoding, so that messages may be compressed. */
  hasEncoding = false;
  readonly #maxBytes: number;
  readonly #onMessage: OnMessage;
  /** The beginning of a message, prefix included. */
  #partial: Buffer = empty;
  #filled = 0;

  constructor(maxBytes: number, onMessage: OnMessage) {
    this.#maxBytes = maxBytes;
    this.#onMessage = onMessage;
  }

  /** Returns true if the data so far ends between two messages. */
  get isAtEnd(): boolean {
    return this.#filled === 0;
  }

  /**
   * Returns the number of octets of this push that belong to an incomplete message. Throws
   * `resource_exhausted` for a message above the bound, and `internal` for a compressed one
   * without an encoding. It must not be used after that.
   */
  push(data: Buffer): number {
    let at = 0;
    if (this.#filled > 0) {
      at = this.#complete(data);
      if (this.#filled > 0) return data.length;
    }
    for (;;) {
      const left = data.length - at;
      if (left < prefixLength) break;
      const length = prefixLength + this.#lengthAt(data, at);
      if (left < length) break;
      this.#onMessage(data.subarray(at + prefixLength, at + length), length, data[at] === 1);
      at += length;
    }
    const left = data.length - at;
    if (left > 0) this.#append(data, at, data.length);
    return left;
  }

  /**
   * Adds data to the partial message, hands that on if it is complete, and returns the offset of
   * the next.
   */
  #complete(data: Buffer): number {
    let at = 0;
    if (this.#filled < prefixLength) {
      at = Math.min(data.length, prefixLength - this.#filled);
      this.#append(data, 0, at);
      if (this.#filled < prefixLength) return at;
    }
    const length = prefixLength + this.#lengthAt(this.#partial, 0);
    const end = Math.min(data.length, at + length - this.#filled);
    this.#append(data, at, end);
    if (this.#filled < length) return end;
    const message = this.#partial.subarray(prefixLength, length);
    const isCompressed = this.#partial[0] === 1;
    this.#partial = empty;
    this.#filled = 0;
    this.#onMessage(message, end, isCompressed);
    return end;
  }

  #append(data: Buffer, from: number, to: number): void {
    const filled = this.#filled + to - from;
    if (filled > this.#partial.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(64, filled * 2));
      this.#partial.copy(grown, 0, 0, this.#filled);
      this.#partial = grown;
    }
    data.copy(this.#partial, this.#filled, from, to);
    this.#filled = filled;
  }

  #lengthAt(bytes: Buffer, at: number): number {
    if (bytes[at] !== 0) this.#checkFlag(bytes[at]);
    const length = bytes.readUInt32BE(at + 1);
    if (length <= this.#maxBytes) return length;
    throw new ServiceError("resource_exhausted", `a message of ${length} bytes, above the ${this.#maxBytes} allowed`);
  }

  #checkFlag(flag: number | undefined): void {
    if (flag !== 1) throw new ServiceError("internal", `the octet before a message is ${flag}, not 0 or 1`);
    if (this.hasEncoding) return;
    throw new ServiceError("internal", "a compressed message, although the encoding is identity");
  }
}

const empty = Buffer.alloc(0);

/** Returns `message`, or a copy of it if it is a small part of a read of the socket. */
export function compact(message: Uint8Array): Uint8Array {
  const { byteLength } = message.buffer;
  // A view of 13 octets would keep a read of 64 KiB in memory. Small reads are not worth a copy.
  // A copy of its own, since a pool's slab is as large as the read.
  return byteLength > smallRead && byteLength > message.length * 4 ? new Uint8Array(message) : message;
}

const smallRead = 4_096;
