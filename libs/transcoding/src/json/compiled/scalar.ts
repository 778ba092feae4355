import { type DescEnum, ScalarType } from "@bufbuild/protobuf";
import { shortFloat } from "../short-float.ts";
import { needsGeneralPath, type Wire, wireTypes } from "./wire.ts";

/** A reader of one value, from the wire to JSON text. */
export interface ValueReader {
  readonly wireType: number;
  /** `depth` counts the messages around the value. */
  readonly read: (wire: Wire, depth: number) => string;
  /** The text of the zero value. */
  readonly zero: string;
}

const { varint, lengthDelimited, bits32, bits64 } = wireTypes;

const integer = (wireType: number, read: (wire: Wire) => number): ValueReader => ({
  wireType,
  read: (wire) => `${read(wire)}`,
  zero: "0",
});
const long = (wireType: number, read: (wire: Wire) => number | bigint): ValueReader => ({
  wireType,
  read: (wire) => `"${read(wire)}"`,
  zero: '"0"',
});
const real = (wireType: number, read: (wire: Wire) => number): ValueReader => ({
  wireType,
  read: (wire) => {
    const value = read(wire);
    return Number.isFinite(value) ? `${value}` : `"${value}"`;
  },
  zero: "0",
});

/**
 * The readers of all scalar types. In proto3 JSON 64-bit integers, NaN and the infinities are
 * strings.
 */
export const scalars: Readonly<Record<ScalarType, ValueReader>> = {
  [ScalarType.STRING]: { wireType: lengthDelimited, read: (wire) => wire.quoted(), zero: '""' },
  [ScalarType.BYTES]: { wireType: lengthDelimited, read: (wire) => wire.base64(), zero: '""' },
  [ScalarType.BOOL]: { wireType: varint, read: (wire) => (isZero(wire.varint64()) ? "false" : "true"), zero: "false" },
  [ScalarType.INT32]: integer(varint, (wire) => wire.varint32() | 0),
  [ScalarType.UINT32]: integer(varint, (wire) => wire.varint32()),
  [ScalarType.SINT32]: integer(varint, (wire) => unzigzag32(wire.varint32())),
  [ScalarType.FIXED32]: integer(bits32, (wire) => wire.fixed32()),
  [ScalarType.SFIXED32]: integer(bits32, (wire) => wire.fixed32() | 0),
  [ScalarType.INT64]: long(varint, (wire) => int64(wire)),
  [ScalarType.UINT64]: long(varint, (wire) => wire.varint64()),
  [ScalarType.SINT64]: long(varint, (wire) => unzigzag64(BigInt(wire.varint64()))),
  [ScalarType.FIXED64]: long(bits64, (wire) => wire.fixed64()),
  [ScalarType.SFIXED64]: long(bits64, (wire) => BigInt.asIntN(64, wire.fixed64())),
  [ScalarType.FLOAT]: real(bits32, (wire) => shortFloat(wire.float())),
  [ScalarType.DOUBLE]: real(bits64, (wire) => wire.double()),
};

/**
 * Makes the reader of an enum: names of known values, numbers of unknown ones if the enum is open.
 */
export function enumReader(type: DescEnum): ValueReader {
  const isNull = type.typeName === "google.protobuf.NullValue";
  // `type.value` has the preferred name if a number has several.
  const texts = new Map(
    type.values.map(({ number }) => [number, isNull ? "null" : JSON.stringify(type.value[number]?.jsonName)]),
  );
  const textOf = (value: number): string => {
    const text = texts.get(value);
    if (text !== undefined) return text;
    if (!type.open) throw needsGeneralPath;
    return isNull ? "null" : `${value}`;
  };
  return { wireType: varint, read: (wire) => textOf(wire.varint32() | 0), zero: textOf(type.values[0]?.number ?? 0) };
}

/** Reads a varint as a signed integer: a number while that is exact and cheap, else a bigint. */
export function int64(wire: Wire): number | bigint {
  const value = wire.varint64();
  return typeof value === "number" ? value : BigInt.asIntN(64, value);
}

function isZero(value: number | bigint): boolean {
  return value === 0 || value === 0n;
}

function unzigzag32(bits: number): number {
  return (bits >>> 1) ^ -(bits & 1);
}

function unzigzag64(bits: bigint): bigint {
  return (bits >> 1n) ^ -(bits & 1n);
}
