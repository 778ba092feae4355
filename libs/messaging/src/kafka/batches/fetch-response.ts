import { readableBatches, type Spent } from "./readable.ts";

/** A position in a response of the broker, and what was rewritten before it. */
class Rewriter {
  readonly #raw: Buffer;
  readonly #parts: Buffer[] = [];
  readonly #spent: Spent = { bytes: 0, records: 0 };
  #kept = 0;
  #changed = false;
  at = 0;

  constructor(raw: Buffer) {
    this.#raw = raw;
  }

  int16(): number {
    return this.#raw.readInt16BE((this.at += 2) - 2);
  }

  int32(): number {
    return this.#raw.readInt32BE((this.at += 4) - 4);
  }

  uvarint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#raw.readUInt8(this.at++);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  skipTags(): void {
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint();
      const bytes = this.uvarint();
      this.at += bytes;
    }
  }

  /** Makes the next `bytes` readable. `size` encodes their length, which stands at `sizeAt`. */
  batches(sizeAt: number, bytes: number, size: (bytes: number) => Buffer): void {
    const end = this.at + bytes;
    if (end > this.#raw.length) throw new RangeError("the fetch response is cut off");
    const batches = this.#raw.subarray(this.at, end);
    const readable = readableBatches(batches, this.#spent);
    if (readable !== batches) {
      this.#parts.push(this.#raw.subarray(this.#kept, sizeAt), size(readable.length), readable);
      this.#kept = end;
      this.#changed = true;
    }
    this.at = end;
  }

  result(): Buffer {
    return this.#changed ? Buffer.concat([...this.#parts, this.#raw.subarray(this.#kept)]) : this.#raw;
  }
}

/** Returns a fetch response of version 11 with readable batches. */
export function readableFetch11(raw: Buffer): Buffer {
  const response = new Rewriter(raw);
  response.at += 4 + 2 + 4; // Throttle time, error, session.
  for (let topics = response.int32(); topics > 0; topics--) {
    const nameBytes = response.int16();
    response.at += nameBytes;
    for (let partitions = response.int32(); partitions > 0; partitions--) {
      response.at += 4 + 2 + 3 * 8; // Number, error, three offsets.
      const aborted = Math.max(0, response.int32());
      response.at += 16 * aborted;
      response.at += 4; // Preferred replica.
      const sizeAt = response.at;
      const bytes = Math.max(0, response.int32());
      response.batches(sizeAt, bytes, int32);
    }
  }
  return response.result();
}

/** Returns a fetch response of versions 13 to 17 with readable batches. */
export function readableFetch17(raw: Buffer): Buffer {
  const response = new Rewriter(raw);
  response.at += 4 + 2 + 4; // Throttle time, error, session.
  for (let topics = response.uvarint() - 1; topics > 0; topics--) {
    response.at += 16; // The topic's id.
    for (let partitions = response.uvarint() - 1; partitions > 0; partitions--) {
      response.at += 4 + 2 + 3 * 8; // Number, error, three offsets.
      for (let aborted = response.uvarint() - 1; aborted > 0; aborted--) {
        response.at += 16;
        response.skipTags();
      }
      response.at += 4; // Preferred replica.
      const sizeAt = response.at;
      const size = Math.max(0, response.uvarint() - 1);
      response.batches(sizeAt, size, (bytes) => uvarint(bytes + 1));
      response.skipTags();
    }
    response.skipTags();
  }
  return response.result();
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function uvarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
