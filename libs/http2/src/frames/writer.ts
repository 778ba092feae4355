import { Encoder } from "../hpack/encoder.ts";
import type { HeaderField } from "../hpack/field.ts";
import { Flag, FrameType, headerLength } from "./types.ts";

const slabSize = 65_536;

/**
 * A serializer of frames into slabs, which it hands on once per turn of the event loop. However
 * many calls are answered in a turn, the socket gets one write. A slab is filled further after a
 * write instead of being replaced.
 */
export class FrameWriter {
  readonly #write: (bytes: Buffer) => void;
  readonly #encoder: Encoder;
  #slab: Buffer = Buffer.allocUnsafeSlow(slabSize);
  #start = 0;
  #at = 0;
  #isScheduled = false;
  readonly #flushNow = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  constructor(encoder: Encoder, write: (bytes: Buffer) => void) {
    this.#encoder = encoder;
    this.#write = write;
  }

  /** Octets not handed on yet. */
  get pending(): number {
    return this.#at - this.#start;
  }

  flush(): void {
    if (this.#at === this.#start) return;
    const bytes = this.#slab.subarray(this.#start, this.#at);
    this.#start = this.#at;
    this.#write(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#append(bytes);
  }

  /**
   * Writes a DATA frame of `prefix` and a part of `body`, which together fit the frame size and the
   * windows.
   */
  data(streamId: number, prefix: Uint8Array | undefined, body: Uint8Array, from: number, to: number, isLast: boolean) {
    const length = (prefix?.length ?? 0) + to - from;
    this.#header(length, FrameType.data, isLast ? Flag.endStream : 0, streamId);
    if (prefix !== undefined) this.#append(prefix);
    // Most messages are small, and for those a loop is faster than the engine's copy.
    if (to - from <= 32) for (let index = from; index < to; index++) this.#slab[this.#at++] = body[index]!;
    else this.#append(from === 0 && to === body.length ? body : body.subarray(from, to));
  }

  /** Writes HEADERS, and CONTINUATION if the block is larger than the peer's frame size. */
  headers(streamId: number, fields: readonly HeaderField[], isLast: boolean, maxFrameSize: number): void {
    const endStream = isLast ? Flag.endStream : 0;
    const bound = Encoder.bound(fields);
    if (bound <= maxFrameSize) {
      this.#reserve(headerLength + bound);
      const start = this.#at;
      const end = this.#encoder.write(this.#slab, start + headerLength, fields);
      this.#header(end - start - headerLength, FrameType.headers, endStream | Flag.endHeaders, streamId);
      this.#at = end;
      return;
    }
    const block = Buffer.allocUnsafe(bound);
    const length = this.#encoder.write(block, 0, fields);
    for (let from = 0; from === 0 || from < length; from += maxFrameSize) {
      const to = Math.min(length, from + maxFrameSize);
      const type = from === 0 ? FrameType.headers : FrameType.continuation;
      const flags = (from === 0 ? endStream : 0) | (to === length ? Flag.endHeaders : 0);
      this.#header(to - from, type, flags, streamId);
      this.#append(block.subarray(from, to));
    }
  }

  rstStream(streamId: number, code: number): void {
    this.#header(4, FrameType.rstStream, 0, streamId);
    this.#uint32(code);
  }

  settings(payload: Uint8Array): void {
    this.#header(payload.length, FrameType.settings, 0, 0);
    this.#append(payload);
  }

  settingsAck(): void {
    this.#header(0, FrameType.settings, Flag.ack, 0);
  }

  /** Writes a PING; `opaque` has 8 octets. */
  ping(opaque: Uint8Array, isAck: boolean): void {
    this.#header(8, FrameType.ping, isAck ? Flag.ack : 0, 0);
    this.#append(opaque);
  }

  goAway(lastStreamId: number, code: number, debug: Uint8Array): void {
    this.#header(8 + debug.length, FrameType.goAway, 0, 0);
    this.#uint32(lastStreamId);
    this.#uint32(code);
    this.#append(debug);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#header(4, FrameType.windowUpdate, 0, streamId);
    this.#uint32(increment);
  }

  /** Writes a frame's header, and reserves capacity for the frame. */
  #header(length: number, type: number, flags: number, streamId: number): void {
    this.#reserve(headerLength + length);
    const slab = this.#slab;
    const at = this.#at;
    slab[at] = length >>> 16;
    slab[at + 1] = length >>> 8;
    slab[at + 2] = length;
    slab[at + 3] = type;
    slab[at + 4] = flags;
    slab[at + 5] = streamId >>> 24;
    slab[at + 6] = streamId >>> 16;
    slab[at + 7] = streamId >>> 8;
    slab[at + 8] = streamId;
    this.#at = at + headerLength;
  }

  #reserve(length: number): void {
    if (this.#at + length > this.#slab.length) {
      this.flush();
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabSize, length));
      this.#start = this.#at = 0;
    }
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flushNow);
  }

  #append(bytes: Uint8Array): void {
    this.#slab.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #uint32(value: number): void {
    this.#at = this.#slab.writeUInt32BE(value, this.#at);
  }
}
