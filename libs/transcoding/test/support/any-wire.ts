import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import * as fc from "fast-check";

type Bytes = Uint8Array;
type Value = readonly [WireType, fc.Arbitrary<Bytes>];
type Write = (writer: BinaryWriter) => unknown;

const concat = (parts: readonly Bytes[]): Bytes => Buffer.concat(parts);
const written = (write: Write): Bytes => {
  const writer = new BinaryWriter();
  write(writer);
  return writer.finish();
};
const delimited = (bytes: Bytes): Bytes => written((writer) => writer.bytes(bytes));

const long = fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
const varint = long.map((value) => written((writer) => writer.int64(value)));
const bits32 = fc.oneof(
  fc.float().map((value) => written((writer) => writer.float(value))),
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
);
const bits64 = fc.oneof(
  fc.double().map((value) => written((writer) => writer.double(value))),
  fc.uint8Array({ minLength: 8, maxLength: 8 }),
);
const words = fc.constantFrom(
  "",
  "a",
  "7",
  "-1",
  "__proto__",
  'say "hi"\\',
  "line\nbreak",
  "\u2028\ufeff\ufffd",
  "Ädä 🦊",
);
const text = fc.oneof(words, fc.string({ unit: "binary", maxLength: 12 }), fc.string({ maxLength: 80 }));
const utf8 = text.map((value) => Buffer.from(value));
const string = fc.oneof({ weight: 20, arbitrary: utf8 }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }) });

const texts: Value = [WireType.LengthDelimited, string.map(delimited)];
const bytes: Value = [WireType.LengthDelimited, fc.uint8Array({ maxLength: 10 }).map(delimited)];

function scalar(type: ScalarType): Value {
  if (type === ScalarType.STRING) return texts;
  if (type === ScalarType.BYTES) return bytes;
  if ([ScalarType.DOUBLE, ScalarType.FIXED64, ScalarType.SFIXED64].includes(type)) return [WireType.Bit64, bits64];
  if ([ScalarType.FLOAT, ScalarType.FIXED32, ScalarType.SFIXED32].includes(type)) return [WireType.Bit32, bits32];
  return [WireType.Varint, varint];
}

/**
 * Generates bytes of messages from descriptors: fields of all kinds, in any order, missing,
 * repeated, unknown.
 */
export class AnyWire {
  readonly #made = new Map<string, fc.Arbitrary<Bytes>>();

  /** Generates a message with at most `records` fields and `depth` levels of messages. */
  message(message: DescMessage, depth = 3, records = 12): fc.Arbitrary<Bytes> {
    const known = this.#made.get(`${message.typeName} ${depth}`);
    if (known !== undefined) return known;
    const made =
      message.typeName === "google.protobuf.Timestamp" ? timestamp : this.#fields(message, depth, records).map(concat);
    this.#made.set(`${message.typeName} ${depth}`, made);
    return made;
  }

  #fields(message: DescMessage, depth: number, records: number): fc.Arbitrary<readonly Bytes[]> {
    const fields = message.fields.filter((field) => field.message === undefined || depth > 0);
    const field = fields.map((one) => ({ weight: 20, arbitrary: this.#field(one, depth) }));
    return fc.array(fc.oneof(...field, { weight: 1, arbitrary: unknown }), { maxLength: records });
  }

  #field(field: DescField, depth: number): fc.Arbitrary<Bytes> {
    if (field.fieldKind === "map") {
      const key = record(1, ...scalar(field.mapKey));
      const value = record(2, ...this.#value(field, depth));
      const entry = fc.oneof(
        { weight: 8, arbitrary: fc.tuple(key, value).map(concat) },
        { weight: 1, arbitrary: fc.array(fc.oneof(key, value), { maxLength: 4 }).map(concat) },
      );
      return record(field.number, WireType.LengthDelimited, entry.map(delimited));
    }
    if (field.message !== undefined && field.delimitedEncoding) {
      const close = written((writer) => writer.tag(field.number, WireType.EndGroup));
      const group = this.message(field.message, depth - 1, 3).map((bytes) => concat([bytes, close]));
      return record(field.number, WireType.StartGroup, group);
    }
    const [wireType, value] = this.#value(field, depth);
    const single = record(field.number, wireType, value);
    if (field.fieldKind !== "list" || wireType === WireType.LengthDelimited) return single;
    const packed = fc.array(value, { maxLength: 5 }).map((items) => delimited(concat(items)));
    return fc.oneof(single, record(field.number, WireType.LengthDelimited, packed));
  }

  #value(field: DescField, depth: number): Value {
    if (field.message !== undefined)
      return [WireType.LengthDelimited, this.message(field.message, depth - 1, 4).map(delimited)];
    if (field.enum === undefined) return scalar(field.scalar);
    const numbers = fc.constantFrom(...field.enum.values.map(({ number }) => number));
    const known = numbers.map((number) => written((writer) => writer.int32(number)));
    return [WireType.Varint, fc.oneof({ weight: 5, arbitrary: known }, { weight: 1, arbitrary: varint })];
  }
}

function record(number: number, wireType: WireType, value: fc.Arbitrary<Bytes>): fc.Arbitrary<Bytes> {
  const tag = written((writer) => writer.tag(number, wireType));
  return value.map((bytes) => concat([tag, bytes]));
}

const seconds = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt({ min: 0n, max: 253_402_300_799n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -62_135_596_900n, max: 253_402_300_900n }) },
);
const nanos = fc.oneof(
  fc.constantFrom(0, 0, 5_000_000, 120_000, 1, 999_999_999),
  fc.integer({ min: -5, max: 1_000_000_005 }),
);
const timestamp = fc
  .tuple(seconds, nanos)
  .map(([seconds, nanos]) =>
    written((writer) => writer.tag(1, WireType.Varint).int64(seconds).tag(2, WireType.Varint).int32(nanos)),
  );

const unknown = fc.oneof(
  record(99, WireType.Varint, varint),
  record(100, WireType.LengthDelimited, string.map(delimited)),
  record(98, WireType.Bit32, bits32),
  record(98, WireType.Bit64, bits64),
  record(97, WireType.StartGroup, fc.constant(written((writer) => writer.tag(97, WireType.EndGroup)))),
);

/** Breaks the bytes of a message: cuts them off, changes one place, or inserts a piece. */
export function broken(bytes: fc.Arbitrary<Bytes>): fc.Arbitrary<Bytes> {
  return fc.tuple(bytes, fc.nat(), fc.uint8Array({ maxLength: 3 }), fc.nat(3)).map(([whole, place, piece, left]) => {
    const at = place % (whole.length + 1);
    return concat([whole.subarray(0, at), piece, left === 3 ? new Uint8Array(0) : whole.subarray(at + left)]);
  });
}
