import { DynamicTable } from "./dynamic-table.ts";
import { HpackError } from "./error.ts";
import { HeaderField } from "./field.ts";
import { decodeHuffman } from "./huffman.ts";
import { type Cursor, readInteger } from "./integer.ts";
import { firstDynamicIndex, staticTable } from "./static-table.ts";

/**
 * A decoder of the header blocks of one direction of a connection, in order. Every block must be
 * decoded, including those of unwanted streams: the table's state depends on each.
 */
export class Decoder {
  readonly #table: DynamicTable;
  /** The bound in our settings; a block may choose a smaller one. */
  readonly #maxTableSize: number;
  readonly #cursor: Cursor = { bytes: Buffer.alloc(0), at: 0, end: 0 };
  #scratch = Buffer.alloc(256);
  /** The size of the last list, as HTTP/2 counts it. */
  listSize = 0;

  constructor(maxTableSize = 4_096) {
    this.#maxTableSize = maxTableSize;
    this.#table = new DynamicTable(maxTableSize);
  }

  /**
   * Decodes the block from `start` to `end`. Returns undefined if its fields exceed `maxListSize`.
   * Fields past that are decoded and dropped, so a small block that names large entries often (an
   * "HPACK bomb") costs no memory.
   */
  decode(bytes: Buffer, start: number, end: number, maxListSize: number): HeaderField[] | undefined {
    const cursor = this.#cursor;
    cursor.bytes = bytes;
    cursor.at = start;
    cursor.end = end;
    const fields: HeaderField[] = [];
    let listSize = 0;
    let mayResize = true;
    while (cursor.at < end) {
      const first = bytes[cursor.at]!;
      if ((first & 0xe0) === 0x20) {
        if (!mayResize) throw new HpackError("the table's size changes after the first field of a block");
        this.#resize(readInteger(cursor, 5));
        continue;
      }
      mayResize = false;
      const field = first & 0x80 ? this.#indexed(readInteger(cursor, 7)) : this.#literal(first);
      listSize += field.size;
      if (listSize <= maxListSize) fields.push(field);
    }
    cursor.bytes = empty;
    this.listSize = listSize;
    return listSize <= maxListSize ? fields : undefined;
  }

  #literal(first: number): HeaderField {
    // 01 adds the field to the table. 0000 and 0001 do not, at this hop or at any; a decoder treats
    // both alike.
    const remembered = (first & 0x40) !== 0;
    const index = readInteger(this.#cursor, remembered ? 6 : 4);
    const name = index === 0 ? this.#text() : this.#indexed(index).name;
    const field = new HeaderField(name, this.#text());
    if (remembered) this.#table.add(field);
    return field;
  }

  #indexed(index: number): HeaderField {
    const field = index < firstDynamicIndex ? staticTable[index - 1] : this.#table.at(index - firstDynamicIndex);
    if (field === undefined) throw new HpackError(`index ${index} is not in the tables`);
    return field;
  }

  #text(): string {
    const cursor = this.#cursor;
    if (cursor.at >= cursor.end) throw new HpackError("the header block ends where a string was expected");
    const isCoded = (cursor.bytes[cursor.at]! & 0x80) !== 0;
    const length = readInteger(cursor, 7);
    const start = cursor.at;
    const end = start + length;
    if (end > cursor.end) throw new HpackError("a string is longer than the rest of its header block");
    cursor.at = end;
    if (!isCoded) return cursor.bytes.toString("latin1", start, end);
    // The shortest code has five bits. The bound of the block bounds the scratch buffer.
    if (this.#scratch.length < length * 1.6) this.#scratch = Buffer.alloc(length * 2);
    return this.#scratch.toString("latin1", 0, decodeHuffman(cursor.bytes, start, end, this.#scratch));
  }

  #resize(size: number): void {
    if (size > this.#maxTableSize)
      throw new HpackError(`a table of ${size} is larger than the ${this.#maxTableSize} allowed`);
    this.#table.resize(size);
  }
}

const empty = Buffer.alloc(0);
