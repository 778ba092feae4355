import type { HeaderField } from "./field.ts";

/**
 * The fields both sides remember, the newest first (RFC 7541, 2.3.2), in a ring so that adding moves nothing. Its bound is
 * in octets: an entry that is larger than all of it empties it and is not kept.
 */
export class DynamicTable {
  #ring = emptyRing(64);
  /** How many were ever added: the ring's next place, and the stable name of an entry (see `Encoder`). */
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

  /** In octets, as RFC 7541 counts them. */
  get size(): number {
    return this.#size;
  }

  get maxSize(): number {
    return this.#maxSize;
  }

  get added(): number {
    return this.#added;
  }

  /** The entry `age` entries older than the newest. */
  at(age: number): HeaderField | undefined {
    return age < this.#length ? this.#ring[(this.#added - 1 - age) & (this.#ring.length - 1)] : undefined;
  }

  /** Whether it was kept. */
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

/** `length` is a power of two. */
function emptyRing(length: number): (HeaderField | undefined)[] {
  return Array.from({ length }, () => undefined);
}
