import { ConnectionError, ErrorCode } from "./error-code.ts";
import { Flag, FrameType } from "./frames/types.ts";
import { HeaderBlock } from "./header-block.ts";
import { Decoder } from "./hpack/decoder.ts";
import type { HeaderField } from "./hpack/field.ts";
import { dependencyAt, paddingOf } from "./payload.ts";

/**
 * Called with the fields of a complete block, or undefined for a list above the bound. `size` is
 * that of the list, as HTTP/2 counts it.
 */
type OnFields = (streamId: number, fields: readonly HeaderField[] | undefined, isLast: boolean, size: number) => void;

/**
 * A parser of HEADERS and CONTINUATION into header lists. Every block is decoded, or the tables of
 * the two sides would diverge.
 */
export class HeaderReader {
  readonly #block: HeaderBlock;
  readonly #decoder = new Decoder();
  readonly #maxListSize: number;
  readonly #onFields: OnFields;

  constructor(maxListSize: number, onFields: OnFields) {
    this.#block = new HeaderBlock(maxListSize);
    this.#maxListSize = maxListSize;
    this.#onFields = onFields;
  }

  /** Throws if another frame comes inside a block. */
  mayCome(type: number, streamId: number): void {
    const block = this.#block;
    if (!block.isOpen || (type === FrameType.continuation && streamId === block.streamId)) return;
    throw new ConnectionError(ErrorCode.protocolError, "a header block is interrupted by another frame");
  }

  headers(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.protocolError, "HEADERS on stream 0");
    let from = start;
    let to = end;
    if ((flags & Flag.padded) !== 0) {
      to = end - paddingOf(bytes, start, end);
      from++;
    }
    if ((flags & Flag.priority) !== 0) {
      if (to - from < 5) throw new ConnectionError(ErrorCode.frameSizeError, "HEADERS too short for its priority");
      if (dependencyAt(bytes, from) === id) {
        throw new ConnectionError(ErrorCode.protocolError, "a stream that depends on itself");
      }
      from += 5;
    }
    const isLast = (flags & Flag.endStream) !== 0;
    if ((flags & Flag.endHeaders) !== 0) return this.#decode(id, isLast, bytes, from, to);
    this.#block.begin(id, isLast);
    this.#block.add(bytes.subarray(from, to));
  }

  continuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block;
    if (!block.isOpen) throw new ConnectionError(ErrorCode.protocolError, "CONTINUATION without HEADERS");
    block.add(bytes.subarray(start, end));
    if ((flags & Flag.endHeaders) === 0) return;
    const { streamId, endsStream } = block;
    const whole = block.take();
    this.#decode(streamId, endsStream, whole, 0, whole.length);
  }

  #decode(id: number, isLast: boolean, bytes: Buffer, start: number, end: number): void {
    const fields = this.#decoder.decode(bytes, start, end, this.#maxListSize);
    this.#onFields(id, fields, isLast, this.#decoder.listSize);
  }
}
