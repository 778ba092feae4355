import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { maxDepth } from "../scan.ts";
import { isCompilable } from "./compilable.ts";
import { enumWriter, scalarWriters, type ValueWriter } from "./value-writer.ts";
import { needsGeneralPath } from "./wire.ts";

/**
 * The buffer of all writers, since writing is synchronous. It keeps the size of the largest
 * message, which the limit of bodies bounds.
 */
const scratch = new BinaryWriter();

type WriteField = (writer: BinaryWriter, value: JsonValue, depth: number) => void;

/**
 * A writer of one message type, from a JSON object to the wire. It is compiled once, from the
 * descriptor.
 */
export class MessageWriter {
  readonly #message: DescMessage;
  #inOrder: readonly { readonly key: string; readonly write: WriteField }[] = [];

  constructor(message: DescMessage) {
    this.#message = message;
  }

  /** Compiles the fields. Separate from the constructor, since messages can recurse. */
  compile(writers: MessageWriters): void {
    this.#inOrder = this.#message.fields
      .toSorted((a, b) => a.number - b.number)
      .map((field) => ({ key: field.jsonName, write: fieldWriter(field, writers) }));
  }

  /**
   * Returns the bytes of a message; undefined if its JSON, valid or not, needs the general path.
   */
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
    // Some key is unknown, or the proto name of a field.
    if (written !== Object.keys(json).length) throw needsGeneralPath;
  }
}

/** The writers of all requested message types and of the types inside them. */
export class MessageWriters {
  readonly #made = new Map<DescMessage, MessageWriter>();

  /** Returns the writer of a message type; undefined if only the general path can write it. */
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
  // The general path checks that at most one member of a oneof is set.
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
    // Negative zero is not the zero value.
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
