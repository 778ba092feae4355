import { type DescField, type DescMessage, fromBinary, type JsonObject, type Registry } from "@bufbuild/protobuf";
import { encodeMessage } from "../encode.ts";
import { type MessageReader, MessageReaders, type Slots } from "./message-reader.ts";
import { Wire } from "./wire.ts";

/**
 * Converts the bytes of a message to JSON text in one pass, without a message or JSON object in
 * between. The text equals that of `JSON.stringify(encodeMessage(...))`, the general path, which
 * also writes everything that the fast path leaves to it: see `needsGeneralPath`.
 */
export class Transcoder {
  readonly #message: DescMessage;
  readonly #registry: Registry;
  readonly #reader: MessageReader | undefined;

  constructor(message: DescMessage, readers: MessageReaders) {
    this.#message = message;
    this.#registry = readers.registry;
    this.#reader = readers.of(message);
  }

  /**
   * Returns the JSON text. Throws the errors of `fromBinary` and `toJson` for bytes that are
   * invalid or have no JSON form.
   */
  json(bytes: Uint8Array): string {
    const slots = this.#read(bytes);
    if (slots !== undefined && this.#reader !== undefined) return this.#reader.text(slots);
    return JSON.stringify(this.#general(bytes));
  }

  /**
   * Returns the JSON text of each field, or of the whole message for undefined. A field without a
   * key is undefined.
   */
  jsonOfEach(bytes: Uint8Array, fields: readonly (DescField | undefined)[]): readonly (string | undefined)[] {
    const reader = this.#reader;
    const slots = this.#read(bytes);
    if (slots !== undefined && reader !== undefined)
      return fields.map((field) => (field === undefined ? reader.text(slots) : reader.valueText(slots, field.number)));
    const json = this.#general(bytes) as JsonObject;
    return fields.map((field) => JSON.stringify(field === undefined ? json : json[field.jsonName]));
  }

  /** Reads on the fast path; returns undefined if that is not possible. */
  #read(bytes: Uint8Array): Slots | undefined {
    if (this.#reader === undefined) return undefined;
    try {
      return this.#reader.read(new Wire(bytes), bytes.length, 1);
    } catch {
      // Any error, not only `needsGeneralPath`: callers get the errors of the general path.
      return undefined;
    }
  }

  #general(bytes: Uint8Array): unknown {
    return encodeMessage(this.#message, fromBinary(this.#message, bytes), this.#registry);
  }
}

/** The transcoders of all requested message types. They share their readers. */
export class Transcoders {
  readonly #readers: MessageReaders;
  readonly #made = new Map<DescMessage, Transcoder>();

  constructor(registry: Registry) {
    this.#readers = new MessageReaders(registry);
  }

  /** Returns the transcoder of a message type. */
  of(message: DescMessage): Transcoder {
    const made = this.#made.get(message) ?? new Transcoder(message, this.#readers);
    this.#made.set(message, made);
    return made;
  }
}
