import { BinaryReader } from "@bufbuild/protobuf/wire";

/** How a field of a protobuf message is read. */
type Reader<T> = (reader: BinaryReader) => T;

interface Field {
  readonly name: string;
  readonly read: Reader<unknown>;
  readonly many: boolean;
}

/** The fields of a message that are read, by their number; the others are passed over, as protobuf has it. */
export type Fields = Readonly<Record<number, Field>>;

export function one<T>(name: string, read: Reader<T>): Field {
  return { name, read, many: false };
}

export function many<T>(name: string, read: Reader<T>): Field {
  return { name, read, many: true };
}

export const text: Reader<string> = (reader) => reader.string();
export const hex: Reader<string> = (reader) => Buffer.from(reader.bytes()).toString("hex");
export const enumeration: Reader<number> = (reader) => reader.int32();
export const boolean: Reader<boolean> = (reader) => reader.bool();
export const int64: Reader<number> = (reader) => Number(reader.int64());
export const double: Reader<number> = (reader) => reader.double();
export const nanoseconds: Reader<bigint> = (reader) => BigInt(reader.fixed64());

/** A message inside another. A function, because messages may hold themselves. */
export function nested(fields: () => Fields): Reader<unknown> {
  return (reader) => decode(reader.bytes(), fields());
}

/** Reads `bytes` after `fields`: a repeated field is an array, empty where it is absent, and any other may be missing. */
export function decode(bytes: Uint8Array, fields: Fields): unknown {
  const reader = new BinaryReader(bytes);
  const result: Record<string, unknown> = {};
  for (const { name, many } of Object.values(fields)) if (many) result[name] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const field = fields[number];
    if (field === undefined) reader.skip(type);
    else if (field.many) (result[field.name] as unknown[]).push(field.read(reader));
    else result[field.name] = field.read(reader);
  }
  return result;
}
