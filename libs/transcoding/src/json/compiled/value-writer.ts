import { type DescEnum, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { needsGeneralPath } from "./wire.ts";

/** A writer of one JSON value to the wire. */
export interface ValueWriter<T = unknown> {
  readonly wireType: WireType;
  readonly zero: T;
  /**
   * Returns the value to write. Throws {@link needsGeneralPath} for a form that few clients use.
   */
  readonly read: (json: JsonValue) => T;
  write(writer: BinaryWriter, value: T): unknown;
}

const { Varint, LengthDelimited, Bit32, Bit64 } = WireType;

type Write<T> = (writer: BinaryWriter, value: T) => unknown;

const integer = (wireType: WireType, min: number, max: number, write: Write<number>): ValueWriter<number> => ({
  wireType,
  zero: 0,
  read: (json) => {
    const value = typeof json === "string" && /^(?:0|-?[1-9]\d{0,9})$/.test(json) ? Number(json) : json;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) throw needsGeneralPath;
    // Turns negative zero into zero.
    return value + 0;
  },
  write,
});
const int32 = (wireType: WireType, write: Write<number>) => integer(wireType, -(2 ** 31), 2 ** 31 - 1, write);
const uint32 = (wireType: WireType, write: Write<number>) => integer(wireType, 0, 2 ** 32 - 1, write);

/** Makes the writer of a 64-bit integer with up to 18 digits, which fit all 64-bit types. */
const long = (wireType: WireType, pattern: RegExp, write: Write<string>): ValueWriter<string> => ({
  wireType,
  zero: "0",
  read: (json) => {
    const text = Number.isSafeInteger(json) ? String(json) : json;
    if (typeof text !== "string" || !pattern.test(text)) throw needsGeneralPath;
    return text;
  },
  write,
});
const int64 = (wireType: WireType, write: Write<string>) => long(wireType, /^(?:0|-?[1-9]\d{0,17})$/, write);
const uint64 = (wireType: WireType, write: Write<string>) => long(wireType, /^(?:0|[1-9]\d{0,17})$/, write);

const real = (wireType: WireType, max: number, write: Write<number>): ValueWriter<number> => ({
  wireType,
  zero: 0,
  read: (json) => {
    if (typeof json !== "number" || !(Math.abs(json) <= max)) throw needsGeneralPath;
    return json;
  },
  write,
});

const string: ValueWriter<string> = {
  wireType: LengthDelimited,
  zero: "",
  read: (json) => {
    if (typeof json !== "string" || !json.isWellFormed()) throw needsGeneralPath;
    return json;
  },
  write: (writer, value) => writer.string(value),
};

const bool: ValueWriter<boolean> = {
  wireType: Varint,
  zero: false,
  read: (json) => {
    if (typeof json !== "boolean") throw needsGeneralPath;
    return json;
  },
  write: (writer, value) => writer.bool(value),
};

/** The writers of all scalar types but bytes, whose base64 has too many forms. */
export const scalarWriters: Readonly<Partial<Record<ScalarType, ValueWriter>>> = {
  [ScalarType.STRING]: string,
  [ScalarType.BOOL]: bool,
  [ScalarType.INT32]: int32(Varint, (writer, value) => writer.int32(value)),
  [ScalarType.UINT32]: uint32(Varint, (writer, value) => writer.uint32(value)),
  [ScalarType.SINT32]: int32(Varint, (writer, value) => writer.sint32(value)),
  [ScalarType.FIXED32]: uint32(Bit32, (writer, value) => writer.fixed32(value)),
  [ScalarType.SFIXED32]: int32(Bit32, (writer, value) => writer.sfixed32(value)),
  [ScalarType.INT64]: int64(Varint, (writer, value) => writer.int64(value)),
  [ScalarType.UINT64]: uint64(Varint, (writer, value) => writer.uint64(value)),
  [ScalarType.SINT64]: int64(Varint, (writer, value) => writer.sint64(value)),
  [ScalarType.FIXED64]: uint64(Bit64, (writer, value) => writer.fixed64(value)),
  [ScalarType.SFIXED64]: int64(Bit64, (writer, value) => writer.sfixed64(value)),
  [ScalarType.FLOAT]: real(Bit32, 3.4028234663852886e38, (writer, value) => writer.float(value)),
  [ScalarType.DOUBLE]: real(Bit64, Number.MAX_VALUE, (writer, value) => writer.double(value)),
};

/** Makes the writer of an enum by names. Numbers, which are rare, take the general path. */
export function enumWriter(type: DescEnum): ValueWriter<number> {
  const numbers = new Map(type.values.map(({ name, number }) => [name, number]));
  return {
    wireType: Varint,
    zero: type.values[0]?.number ?? 0,
    read: (json) => {
      const number = typeof json === "string" ? numbers.get(json) : undefined;
      if (number === undefined) throw needsGeneralPath;
      return number;
    },
    write: (writer, value) => writer.int32(value),
  };
}
