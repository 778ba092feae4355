import { type DescField, type DescMessage, fromBinary, type Registry, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { encodeMessage, isNullWhenUnset } from "../encode.ts";
import { isCompilable } from "./compilable.ts";
import { enumReader, scalars, type ValueReader } from "./scalar.ts";
import { readTimestamp } from "./timestamp.ts";
import { needsGeneralPath, type Wire, wireTypes } from "./wire.ts";

/**
 * The JSON text of a field, without the brackets of a list. For a map, the texts of its entries by
 * key.
 */
type Slot = string | Record<string, string> | undefined;

/** The fields of a message that were read so far, in the order of their numbers. */
export type Slots = Slot[];

/** The greatest depth of messages, as in @bufbuild/protobuf. */
const maxDepth = 100;

interface FieldReader {
  readonly index: number;
  /** The key, with the opening bracket of a list or map. */
  readonly open: string;
  readonly close: string;
  /** The text of an unset field; undefined if it has no key. */
  readonly unset: string | undefined;
  /** The other members of the oneof, which this field unsets. */
  readonly rivals: readonly number[] | undefined;
  readonly read: (wire: Wire, before: Slot, wireType: number, depth: number) => Slot;
}

/**
 * A reader of one message type, from the wire to JSON text. It is compiled once, from the
 * descriptor.
 */
export class MessageReader {
  readonly #message: DescMessage;
  readonly #registry: Registry;
  #inOrder: readonly FieldReader[] = [];
  /** A template that is copied for each message. */
  #unset: Slots = [];
  readonly #byNumber: (FieldReader | undefined)[] = [];

  constructor(message: DescMessage, registry: Registry) {
    this.#message = message;
    this.#registry = registry;
  }

  /** Compiles the fields. Separate from the constructor, since messages can recurse. */
  compile(readers: MessageReaders): void {
    const fields = this.#message.fields.toSorted((a, b) => a.number - b.number);
    this.#inOrder = fields.map((field, index) => compileField(field, index, fields, readers));
    this.#unset = fields.map(() => undefined);
    for (const [index, reader] of this.#inOrder.entries()) this.#byNumber[fields[index]?.number ?? 0] = reader;
  }

  read(wire: Wire, end: number, depth: number): Slots {
    if (depth > maxDepth) throw needsGeneralPath;
    const slots = this.#unset.slice();
    while (wire.pos < end) {
      const tag = wire.tag();
      const field = this.#byNumber[tag >>> 3];
      if (field === undefined) {
        this.#skip(wire, tag);
        continue;
      }
      slots[field.index] = field.read(wire, slots[field.index], tag & 7, depth);
      if (field.rivals !== undefined) for (const rival of field.rivals) slots[rival] = undefined;
    }
    // A field continues beyond the end of its message.
    if (wire.pos !== end) throw needsGeneralPath;
    return slots;
  }

  text(slots: Slots): string {
    let text = "{";
    let comma = "";
    for (const field of this.#inOrder) {
      const slot = slots[field.index];
      const piece = slot === undefined ? field.unset : field.open + textOf(slot) + field.close;
      if (piece === undefined) continue;
      text += comma + piece;
      comma = ",";
    }
    return `${text}}`;
  }

  /** Returns the value of one field, without its key; undefined if it has no key. */
  valueText(slots: Slots, number: number): string | undefined {
    const field = this.#byNumber[number];
    if (field === undefined) return undefined;
    const slot = slots[field.index];
    const piece = slot === undefined ? field.unset : field.open + textOf(slot) + field.close;
    return piece?.slice(piece.indexOf(":") + 1);
  }

  #skip(wire: Wire, tag: number): void {
    const number = tag >>> 3;
    if (number === 0 || this.#registry.getExtensionFor(this.#message, number) !== undefined) throw needsGeneralPath;
    wire.skip(tag & 7);
  }
}

/** The readers of all requested message types and of the types inside them. */
export class MessageReaders {
  readonly registry: Registry;
  readonly #made = new Map<DescMessage, MessageReader>();

  constructor(registry: Registry) {
    this.registry = registry;
  }

  /** Returns the reader of a message type; undefined if only the general path can read it. */
  of(message: DescMessage): MessageReader | undefined {
    if (!isCompilable(message)) return undefined;
    const made = this.#made.get(message);
    if (made !== undefined) return made;
    const reader = new MessageReader(message, this.registry);
    this.#made.set(message, reader);
    reader.compile(this);
    return reader;
  }
}

function compileField(
  field: DescField,
  index: number,
  siblings: readonly DescField[],
  readers: MessageReaders,
): FieldReader {
  const key = `"${field.jsonName}":`;
  const value = valueReader(field, readers);
  const { oneof } = field;
  const rivals =
    oneof === undefined
      ? undefined
      : [...siblings.keys()].filter((other) => other !== index && siblings[other]?.oneof === oneof);
  if (field.fieldKind === "list")
    return { index, open: `${key}[`, close: "]", unset: `${key}[]`, rivals, read: readList(value) };
  if (field.fieldKind === "map") {
    const read = readMap(scalars[field.mapKey], field.mapKey === ScalarType.STRING, value);
    return { index, open: `${key}{`, close: "}", unset: `${key}{}`, rivals, read };
  }
  const read = readSingular(value, field.fieldKind === "message");
  return { index, open: key, close: "", unset: unsetText(field, key, value.zero), rivals, read };
}

function unsetText(field: DescField, key: string, zero: string): string | undefined {
  if (isNullWhenUnset(field)) return `${key}null`;
  return field.presence === FeatureSet_FieldPresence.IMPLICIT ? key + zero : undefined;
}

/**
 * Returns the reader of one value: a singular field, an item of a list, or the value of a map's
 * entry.
 */
function valueReader(field: DescField, readers: MessageReaders): ValueReader {
  if (field.message !== undefined) return messageReader(field.message, readers);
  return field.enum === undefined ? scalars[field.scalar] : enumReader(field.enum);
}

function messageReader(message: DescMessage, readers: MessageReaders): ValueReader {
  const wireType = wireTypes.lengthDelimited;
  if (message.typeName === "google.protobuf.Timestamp") return { wireType, read: readTimestamp, zero: "null" };
  const reader = readers.of(message);
  if (reader !== undefined) {
    const read = (wire: Wire, depth: number): string => reader.text(reader.read(wire, wire.end(), depth + 1));
    return { wireType, read, zero: "{}" };
  }
  const { registry } = readers;
  const general = (bytes: Uint8Array, depth: number): string => {
    const inner = fromBinary(message, bytes, { recursionLimit: maxDepth - depth });
    return JSON.stringify(encodeMessage(message, inner, registry));
  };
  return { wireType, read: (wire, depth) => general(wire.nested(), depth), zero: "null" };
}

function readSingular(value: ValueReader, isMessage: boolean): FieldReader["read"] {
  return (wire, before, wireType, depth) => {
    // A message field that appears twice must be merged.
    if (wireType !== value.wireType || (isMessage && before !== undefined)) throw needsGeneralPath;
    return value.read(wire, depth);
  };
}

function readList(item: ValueReader): FieldReader["read"] {
  return (wire, before, wireType, depth) => {
    let items = before as string | undefined;
    const add = (text: string): void => void (items = items === undefined ? text : `${items},${text}`);
    if (wireType === item.wireType) add(item.read(wire, depth));
    else if (wireType === wireTypes.lengthDelimited) {
      const end = wire.end();
      while (wire.pos < end) add(item.read(wire, depth));
      if (wire.pos !== end) throw needsGeneralPath;
    } else throw needsGeneralPath;
    return items;
  };
}

const keyTag = 1;
const valueTag = 2;

function readMap(key: ValueReader, isText: boolean, value: ValueReader): FieldReader["read"] {
  const zeroKey = key.zero.replaceAll('"', "");
  return (wire, before, wireType, depth) => {
    if (wireType !== wireTypes.lengthDelimited) throw needsGeneralPath;
    // An object, so that the keys have the order that JSON.stringify would give them.
    const entries = (before as Record<string, string> | undefined) ?? (Object.create(null) as Record<string, string>);
    let name: string | undefined;
    let text: string | undefined;
    const end = wire.end();
    while (wire.pos < end) {
      const tag = wire.tag();
      if (tag === ((keyTag << 3) | key.wireType)) name = key.read(wire, depth);
      else if (tag === ((valueTag << 3) | value.wireType) && text === undefined) text = value.read(wire, depth);
      else throw needsGeneralPath;
    }
    // An absent value is the zero value, which the general path writes.
    if (wire.pos !== end || text === undefined) throw needsGeneralPath;
    entries[name === undefined ? zeroKey : isText ? (JSON.parse(name) as string) : name.replaceAll('"', "")] = text;
    return entries;
  };
}

function textOf(slot: string | Record<string, string>): string {
  if (typeof slot === "string") return slot;
  let text = "";
  for (const key of Object.keys(slot)) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${slot[key]}`;
  return text;
}
