/** The output of a decoder, which grows up to a bound and then throws. */
export class Inflated {
  readonly #maxBytes: number;
  #bytes: Buffer;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#bytes = Buffer.allocUnsafe(Math.min(maxBytes, 65_536));
  }

  get length(): number {
    return this.#length;
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Makes room for this many bytes more. */
  expect(count: number): void {
    const needed = this.#length + count;
    if (needed > this.#maxBytes) throw new TooLargeError(this.#maxBytes);
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(needed, 2 * this.#bytes.length)));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }

  /** Copies bytes of the input. */
  append(from: Buffer, at: number, count: number): void {
    if (at + count > from.length) throw new RangeError("the data is cut off");
    this.expect(count);
    from.copy(this.#bytes, this.#length, at, at + count);
    this.#length += count;
  }

  /**
   * Repeats bytes that were written `distance` earlier, not before `start`. They may overlap the
   * copy.
   */
  repeat(distance: number, count: number, start: number): void {
    if (distance === 0 || distance > this.#length - start) throw new RangeError("a copy starts before the data");
    this.expect(count);
    if (distance >= count)
      this.#bytes.copyWithin(this.#length, this.#length - distance, this.#length - distance + count);
    else for (let i = this.#length; i < this.#length + count; i++) this.#bytes[i] = this.#bytes[i - distance] as number;
    this.#length += count;
  }
}

/** The error of data that would inflate beyond the bound. */
export class TooLargeError extends RangeError {
  static {
    this.prototype.name = "TooLargeError";
  }

  constructor(maxBytes: number) {
    super(`it inflates to more than ${maxBytes} bytes`);
  }
}
