import { DynamicTable } from "./dynamic-table.ts";
import type { HeaderField } from "./field.ts";
import { huffmanLength, writeHuffman } from "./huffman.ts";
import { writeInteger } from "./integer.ts";
import { firstDynamicIndex, staticTable } from "./static-table.ts";

/** The places of a name in the tables: without its value, and with each value. */
interface Known {
  /** The index in the static table, or 0. */
  index: number;
  readonly staticValues: Map<string, number>;
  /** The entry's number, which unlike its index stays the same when others are added. */
  readonly numbers: Map<string, number>;
}

const staticNames = new Map<string, { index: number; values: Map<string, number> }>();
for (const [at, { name, value }] of staticTable.entries()) {
  let known = staticNames.get(name);
  if (known === undefined) staticNames.set(name, (known = { index: at + 1, values: new Map() }));
  known.values.set(value, at + 1);
}

/**
 * An encoder of the header blocks of one direction of a connection. Only fields marked as repeating
 * enter the table. Fields that vary would evict them, and a secret that is not in the table cannot
 * be guessed by its size (RFC 7541, 7.1).
 */
export class Encoder {
  /**
   * Sizes set by `resize` that the peer does not know yet: the smallest since the last block, and
   * the last.
   */
  #announced: { smallest: number; last: number } | undefined;
  readonly #names = new Map<string, Known>();
  readonly #table: DynamicTable;
  readonly #ownMax: number;

  constructor(maxTableSize = 4_096) {
    this.#ownMax = maxTableSize;
    this.#table = new DynamicTable(maxTableSize, (field, number) => this.#forget(field, number));
  }

  /**
   * Applies the peer's SETTINGS_HEADER_TABLE_SIZE. The table gets no larger than that, nor than our
   * own bound.
   */
  resize(peerMax: number): void {
    const size = Math.min(peerMax, this.#ownMax);
    if (size === this.#table.maxSize && this.#announced === undefined) return;
    this.#announced = { smallest: Math.min(size, this.#announced?.smallest ?? size), last: size };
    this.#table.resize(size);
  }

  /** Returns the most octets that `fields` can take. */
  static bound(fields: readonly HeaderField[]): number {
    let octets = 12;
    // A Huffman code can be longer than the text, but then the text is written plain.
    for (const { name, value } of fields) octets += name.length + value.length + 18;
    return octets;
  }

  /**
   * Writes a block, and returns the position after it. The caller has reserved `bound(fields)`
   * octets.
   */
  write(bytes: Buffer, at: number, fields: readonly HeaderField[]): number {
    if (this.#announced !== undefined) {
      const { smallest, last } = this.#announced;
      if (smallest < last) at = writeInteger(bytes, at, 0x20, 5, smallest);
      at = writeInteger(bytes, at, 0x20, 5, last);
      this.#announced = undefined;
    }
    for (const field of fields) at = this.#field(bytes, at, field);
    return at;
  }

  #field(bytes: Buffer, at: number, field: HeaderField): number {
    const { name, value } = field;
    const known = this.#names.get(name) ?? this.#learn(name);
    // Most values are new, and a lookup hashes the whole value.
    const fixed = known.staticValues.size === 0 ? undefined : known.staticValues.get(value);
    if (fixed !== undefined) return writeInteger(bytes, at, 0x80, 7, fixed);
    if (!field.repeats) {
      at = writeInteger(bytes, at, 0x00, 4, known.index);
    } else {
      const number = known.numbers.get(value);
      if (number !== undefined) {
        return writeInteger(bytes, at, 0x80, 7, firstDynamicIndex + this.#table.added - 1 - number);
      }
      at = writeInteger(bytes, at, 0x40, 6, known.index);
      const next = this.#table.added;
      if (this.#table.add(field)) known.numbers.set(value, next);
    }
    if (known.index === 0) at = writeText(bytes, at, name, field.repeats);
    return writeText(bytes, at, value, field.repeats);
  }

  #learn(name: string): Known {
    const fixed = staticNames.get(name);
    const known: Known = { index: fixed?.index ?? 0, staticValues: fixed?.values ?? none, numbers: new Map() };
    // Callers choose names too, so the number is bounded: past it each name is looked up again.
    if (this.#names.size < 256) this.#names.set(name, known);
    return known;
  }

  #forget({ name, value }: HeaderField, number: number): void {
    const numbers = this.#names.get(name)?.numbers;
    if (numbers?.get(value) === number) numbers.delete(value);
  }
}

const none = new Map<string, number>();

/**
 * Writes a string, in most cases plain: a Huffman code saves a third of the octets, and costs both
 * sides several times their copy. A field that repeats is coded if that is shorter, since it is
 * sent once and stays in the peer's table.
 */
function writeText(bytes: Buffer, at: number, text: string, repeats: boolean): number {
  const coded = repeats ? huffmanLength(text) : text.length;
  if (coded < text.length) return writeHuffman(bytes, writeInteger(bytes, at, 0x80, 7, coded), text);
  at = writeInteger(bytes, at, 0x00, 7, text.length);
  return at + bytes.write(text, at, "latin1");
}
