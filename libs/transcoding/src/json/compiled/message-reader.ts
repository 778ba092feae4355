import { type DescField, type DescMessage, fromBinary, type Registry, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { encodeMessage, isNullWhenUnset } from "../encode.ts";
import { isCompilable } from "./compilable.ts";
import { enumReader, scalars, type ValueReader } from "./scalar.ts";
import { readTimestamp } from "./timestamp.ts";
import { needsGeneralPath, type Wire, wireTypes } from "./wire.ts";

/** What was read of a field: its JSON text, without the brackets of a list; of a map its entries' texts by key. */
type Slot = string | Record<string, string> | undefined;

/** The fields of a message as far as they were read, in the order of their numbers. */
export type Slots = Slot[];

/** Messages in one another, as @bufbuild/protobuf reads them. */
const maxDepth = 100;

interface FieldReader {
  readonly index: number;
  /** The key, and what opens a list or map. */
  readonly open: string;
  readonly close: string;
  /** Stands for a field that is not set; undefined where that has no key at all. */
  readonly unset: string | undefined;
  /** The other members of its oneof, which it unsets. */
  readonly rivals: readonly number[] | undefined;
  readonly read: (wire: Wire, before: Slot, wireType: number, depth: number) => Slot;
}

/** How one message goes from the wire to JSON text: made once, from its descriptor. */
export class MessageReader {
  readonly #message: DescMessage;
  readonly #registry: Registry;
  #inOrder: readonly FieldReader[] = [];
  /** Copied for each message. */
  #unset: Slots = [];
  readonly #byNumber: (FieldReader | undefined)[] = [];

  constructor(message: DescMessage, registry: Registry) {
    this.#message = message;
    this.#registry = registry;
  }

  /** Apart from the constructor, as a message may contain itself. */
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
    // A field that goes on behind the end of its message.
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

  /** The value of one field, without its key; undefined where that has no key at all. */
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

/** The readers of all messages that were asked for, and of those within. */
export class MessageReaders {
  readonly registry: Registry;
  readonly #made = new Map<DescMessage, MessageReader>();

  constructor(registry: Registry) {
    this.registry = registry;
  }

  /** Undefined for a message that only the general way can write. */
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

/** One value: a singular field, an item of a list, the value of a map's entry. */
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
    // Of a message that comes twice the parts are merged.
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
    // An object, as its keys come in the order that JSON.stringify finds in an object.
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
    // A value that is not there is the zero value; of most messages that takes a while to write.
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
