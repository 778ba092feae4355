import { ConnectionError, ErrorCode } from "../error-code.ts";
import { headerLength } from "./types.ts";

/**
 * Called for each complete frame; the payload is `bytes` from `start` to `end`. The callee may keep
 * a view: the octets are not reused, but the view keeps the whole read of the socket (64 KiB at
 * most) in memory.
 */
export type OnFrame = (
  type: number,
  flags: number,
  streamId: number,
  bytes: Buffer,
  start: number,
  end: number,
) => void;

/**
 * A parser of the socket's reads into frames. It creates no object per frame, and copies only
 * frames that span reads.
 */
export class FrameReader {
  readonly #maxFrameSize: number;
  readonly #onFrame: OnFrame;
  /** An incomplete frame: its header, then all of it. At most one frame. */
  readonly #header = Buffer.alloc(headerLength);
  #partial: Buffer = this.#header;
  #filled = 0;

  constructor(maxFrameSize: number, onFrame: OnFrame) {
    this.#maxFrameSize = maxFrameSize;
    this.#onFrame = onFrame;
  }

  /**
   * Parses a chunk. Throws a `ConnectionError` for a frame above the bound, and errors of
   * `onFrame`. It must not be used after that.
   */
  push(chunk: Buffer): void {
    let at = 0;
    while (this.#filled > 0 && at < chunk.length) at = this.#complete(chunk, at);
    const { length } = chunk;
    while (length - at >= headerLength) {
      const payload = this.#lengthAt(chunk, at);
      const end = at + headerLength + payload;
      if (end > length) break;
      this.#deliver(chunk, at, end);
      at = end;
    }
    if (at < length) this.#keep(chunk, at);
  }

  #keep(chunk: Buffer, at: number): void {
    const left = chunk.length - at;
    this.#partial = left < headerLength ? this.#header : Buffer.allocUnsafe(headerLength + this.#lengthAt(chunk, at));
    this.#filled = chunk.copy(this.#partial, 0, at);
  }

  /**
   * Adds to the incomplete frame from `at`, delivers it once complete, and returns the offset
   * reached.
   */
  #complete(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#partial, this.#filled, at);
    this.#filled += copied;
    if (this.#filled < this.#partial.length) return at + copied;
    if (this.#partial === this.#header) {
      const payload = this.#lengthAt(this.#header, 0);
      // A buffer of its own even without a payload, since a view of it may be kept.
      this.#partial = Buffer.allocUnsafe(headerLength + payload);
      this.#header.copy(this.#partial);
      if (payload > 0) return at + copied;
    }
    const frame = this.#partial;
    this.#partial = this.#header;
    this.#filled = 0;
    this.#deliver(frame, 0, frame.length);
    return at + copied;
  }

  #lengthAt(bytes: Buffer, at: number): number {
    const length = bytes.readUIntBE(at, 3);
    if (length > this.#maxFrameSize) {
      throw new ConnectionError(
        ErrorCode.frameSizeError,
        `a frame of ${length}, above the ${this.#maxFrameSize} allowed`,
      );
    }
    return length;
  }

  #deliver(bytes: Buffer, at: number, end: number): void {
    const streamId = bytes.readUInt32BE(at + 5) & 0x7fff_ffff; // The highest bit is reserved, and ignored.
    this.#onFrame(bytes[at + 3]!, bytes[at + 4]!, streamId, bytes, at + headerLength, end);
  }
}
