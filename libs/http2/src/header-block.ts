import { ConnectionError, ErrorCode } from "./error-code.ts";

/**
 * The most frames of a header block. 64 KiB take five; many small ones are an attack ("CONTINUATION
 * flood").
 */
const maxFrames = 64;

/**
 * A collector of a header block in several frames. At most one is open per connection, since no
 * other frame may come between.
 */
export class HeaderBlock {
  readonly #maxSize: number;
  #parts: Buffer[] = [];
  #size = 0;
  streamId = 0;
  endsStream = false;

  /** `maxSize` is in octets on the wire. */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get isOpen(): boolean {
    return this.streamId !== 0;
  }

  begin(streamId: number, endsStream: boolean): void {
    this.streamId = streamId;
    this.endsStream = endsStream;
  }

  add(part: Buffer): void {
    this.#size += part.length;
    if (this.#size > this.#maxSize || this.#parts.push(part) > maxFrames) {
      throw new ConnectionError(
        ErrorCode.enhanceYourCalm,
        `a header block of more than ${this.#maxSize} octets, or ${maxFrames} frames`,
      );
    }
  }

  /** Returns the whole block; the next may begin. */
  take(): Buffer {
    const whole = Buffer.concat(this.#parts, this.#size);
    this.#parts = [];
    this.#size = 0;
    this.streamId = 0;
    return whole;
  }
}
