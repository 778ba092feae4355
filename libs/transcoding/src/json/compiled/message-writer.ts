import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { maxDepth } from "../scan.ts";
import { isCompilable } from "./compilable.ts";
import { enumWriter, scalarWriters, type ValueWriter } from "./value-writer.ts";
import { needsGeneralPath } from "./wire.ts";

/** One for all, as nothing waits while it writes. It keeps the room of the largest message, which the limit of bodies bounds. */
const scratch = new BinaryWriter();

type WriteField = (writer: BinaryWriter, value: JsonValue, depth: number) => void;

/** How one message goes from a JSON object to the wire: made once, from its descriptor. */
export class MessageWriter {
  readonly #message: DescMessage;
  #inOrder: readonly { readonly key: string; readonly write: WriteField }[] = [];

  constructor(message: DescMessage) {
    this.#message = message;
  }

  /** Apart from the constructor, as a message may contain itself. */
  compile(writers: MessageWriters): void {
    this.#inOrder = this.#message.fields
      .toSorted((a, b) => a.number - b.number)
      .map((field) => ({ key: field.jsonName, write: fieldWriter(field, writers) }));
  }

  /** The bytes of a message; undefined when its JSON is not of the usual form, be it right or wrong. */
  bytes(json: JsonValue): Uint8Array | undefined {
    try {
      this.write(scratch, json, 0);
      return scratch.finish();
    } catch (error) {
      scratch.finish();
      if (error === needsGeneralPath) return undefined;
      throw error;
    }
  }

  write(writer: BinaryWriter, json: JsonValue, depth: number): void {
    if (typeof json !== "object" || json === null || Array.isArray(json) || depth === maxDepth) throw needsGeneralPath;
    let written = 0;
    for (const { key, write } of this.#inOrder) {
      const value = (json as Partial<JsonObject>)[key];
      if (value === undefined) continue;
      write(writer, value, depth);
      written += 1;
    }
    // A key that is no field's, or the other name of one.
    if (written !== Object.keys(json).length) throw needsGeneralPath;
  }
}

/** The writers of all messages that were asked for, and of those within. */
export class MessageWriters {
  readonly #made = new Map<DescMessage, MessageWriter>();

  /** Undefined for a message that only the general way can write. */
  of(message: DescMessage): MessageWriter | undefined {
    if (!isCompilable(message)) return undefined;
    const made = this.#made.get(message);
    if (made !== undefined) return made;
    const writer = new MessageWriter(message);
    this.#made.set(message, writer);
    writer.compile(this);
    return writer;
  }
}

function fieldWriter(field: DescField, writers: MessageWriters): WriteField {
  // Of a oneof only one may be given, and the last one counts where messages are merged.
  if (field.fieldKind === "map" || field.oneof !== undefined) return refuse;
  if (field.message !== undefined) return messageWriter(field, field.message, writers);
  const value = field.enum === undefined ? scalarWriters[field.scalar] : enumWriter(field.enum);
  if (value === undefined) return refuse;
  if (field.fieldKind === "list") return listWriter(field.number, value, field.packed);
  return singularWriter(field.number, value, field.presence === FeatureSet_FieldPresence.IMPLICIT);
}

const refuse: WriteField = () => {
  throw needsGeneralPath;
};

function singularWriter(number: number, codec: ValueWriter, isImplicit: boolean): WriteField {
  return (writer, json) => {
    const value = codec.read(json);
    // Negative zero is a value of its own.
    if (isImplicit && Object.is(value, codec.zero)) return;
    writer.tag(number, codec.wireType);
    codec.write(writer, value);
  };
}

function listWriter(number: number, codec: ValueWriter, isPacked: boolean): WriteField {
  return (writer, json) => {
    if (!Array.isArray(json)) throw needsGeneralPath;
    if (json.length === 0) return;
    if (isPacked) writer.tag(number, WireType.LengthDelimited).fork();
    for (const item of json) {
      if (!isPacked) writer.tag(number, codec.wireType);
      codec.write(writer, codec.read(item));
    }
    if (isPacked) writer.join();
  };
}

function messageWriter(field: DescField, message: DescMessage, writers: MessageWriters): WriteField {
  const inner = writers.of(message);
  if (inner === undefined) return refuse;
  const one: WriteField = (writer, json, depth) => {
    writer.tag(field.number, WireType.LengthDelimited).fork();
    inner.write(writer, json, depth + 1);
    writer.join();
  };
  if (field.fieldKind !== "list") return one;
  return (writer, json, depth) => {
    if (!Array.isArray(json)) throw needsGeneralPath;
    for (const item of json) one(writer, item, depth);
  };
}
