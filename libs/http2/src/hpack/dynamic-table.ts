import type { HeaderField } from "./field.ts";

/**
 * The fields that both sides remember, newest first (RFC 7541, 2.3.2), in a ring so that adding
 * moves nothing. Its bound is in octets: an entry larger than that empties the table and is not
 * kept.
 */
export class DynamicTable {
  #ring = emptyRing(64);
  /**
   * The number of entries ever added: the next place in the ring, and the stable number of an entry
   * (see `Encoder`).
   */
  #added = 0;
  #length = 0;
  #size = 0;
  #maxSize: number;
  readonly #onEvict: ((field: HeaderField, number: number) => void) | undefined;

  constructor(maxSize: number, onEvict?: (field: HeaderField, number: number) => void) {
    this.#maxSize = maxSize;
    this.#onEvict = onEvict;
  }

  get length(): number {
    return this.#length;
  }

  /** The size in octets, as RFC 7541 counts them. */
  get size(): number {
    return this.#size;
  }

  get maxSize(): number {
    return this.#maxSize;
  }

  get added(): number {
    return this.#added;
  }

  /** Returns the entry that is `age` entries older than the newest. */
  at(age: number): HeaderField | undefined {
    return age < this.#length ? this.#ring[(this.#added - 1 - age) & (this.#ring.length - 1)] : undefined;
  }

  /** Adds a field. Returns false if it is too large to be kept. */
  add(field: HeaderField): boolean {
    const { size } = field;
    this.#evictTo(this.#maxSize - size);
    if (size > this.#maxSize) return false;
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[this.#added++ & (this.#ring.length - 1)] = field;
    this.#length++;
    this.#size += size;
    return true;
  }

  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evictTo(maxSize);
  }

  #evictTo(size: number): void {
    while (this.#size > size && this.#length > 0) {
      const number = this.#added - this.#length;
      const place = number & (this.#ring.length - 1);
      const oldest = this.#ring[place]!;
      this.#ring[place] = undefined;
      this.#length--;
      this.#size -= oldest.size;
      this.#onEvict?.(oldest, number);
    }
  }

  #grow(): void {
    const ring = emptyRing(this.#ring.length * 2);
    for (let number = this.#added - this.#length; number < this.#added; number++) {
      ring[number & (ring.length - 1)] = this.#ring[number & (this.#ring.length - 1)];
    }
    this.#ring = ring;
  }
}

/** Returns a ring; `length` is a power of two. */
function emptyRing(length: number): (HeaderField | undefined)[] {
  return Array.from({ length }, () => undefined);
}
