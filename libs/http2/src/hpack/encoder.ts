import { DynamicTable } from "./dynamic-table.ts";
import type { HeaderField } from "./field.ts";
import { huffmanLength, writeHuffman } from "./huffman.ts";
import { writeInteger } from "./integer.ts";
import { firstDynamicIndex, staticTable } from "./static-table.ts";

/** What is known of a name: where it stands without its value, and where with which value. */
interface Known {
  /** In the static table, or 0. */
  index: number;
  readonly staticValues: Map<string, number>;
  /** The number of the entry, which unlike its index stays the same as others are added. */
  readonly numbers: Map<string, number>;
}

const staticNames = new Map<string, { index: number; values: Map<string, number> }>();
for (const [at, { name, value }] of staticTable.entries()) {
  let known = staticNames.get(name);
  if (known === undefined) staticNames.set(name, (known = { index: at + 1, values: new Map() }));
  known.values.set(value, at + 1);
}

/**
 * Encodes the header blocks of one direction of a connection. Only fields that say they repeat take a place in the table:
 * those that vary would push them out, and a secret that is not in the table cannot be guessed by its size (RFC 7541, 7.1).
 */
export class Encoder {
  /** What was asked of `resize` and the peer does not know yet: the smallest since the last block, and the last. */
  #announced: { smallest: number; last: number } | undefined;
  readonly #names = new Map<string, Known>();
  readonly #table: DynamicTable;
  readonly #ownMax: number;

  constructor(maxTableSize = 4_096) {
    this.#ownMax = maxTableSize;
    this.#table = new DynamicTable(maxTableSize, (field, number) => this.#forget(field, number));
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE: the table may not be larger, and is not made larger than our own bound. */
  resize(peerMax: number): void {
    const size = Math.min(peerMax, this.#ownMax);
    if (size === this.#table.maxSize && this.#announced === undefined) return;
    this.#announced = { smallest: Math.min(size, this.#announced?.smallest ?? size), last: size };
    this.#table.resize(size);
  }

  /** The most octets `fields` can take. */
  static bound(fields: readonly HeaderField[]): number {
    let octets = 12;
    // A Huffman code can be longer than its octet, but then the string is written as it is.
    for (const { name, value } of fields) octets += name.length + value.length + 18;
    return octets;
  }

  /** Writes a block and returns the position after it. The caller has made room for `bound(fields)`. */
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
    // Most values are new, and to look one up takes reading all of it.
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
    // Names come from callers too, without end: past a few hundred they are looked up afresh each time.
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
 * As it is: a Huffman code saves a third of the octets, and costs both sides several times what a copy of them does. What
 * repeats is coded where that is shorter, since it is sent once and then stands in the peer's table.
 */
function writeText(bytes: Buffer, at: number, text: string, repeats: boolean): number {
  const coded = repeats ? huffmanLength(text) : text.length;
  if (coded < text.length) return writeHuffman(bytes, writeInteger(bytes, at, 0x80, 7, coded), text);
  at = writeInteger(bytes, at, 0x00, 7, text.length);
  return at + bytes.write(text, at, "latin1");
}
