import { type DescField, type DescMessage, fromBinary, type JsonObject, type Registry } from "@bufbuild/protobuf";
import { encodeMessage } from "../encode.ts";
import { type MessageReader, MessageReaders, type Slots } from "./message-reader.ts";
import { Wire } from "./wire.ts";

/**
 * The bytes of a message to the text of its JSON, in one go over the wire: no message and no JSON object are made. The text
 * is that of `JSON.stringify(encodeMessage(...))`, to the letter, which also writes what is not worth a way of its own:
 * see `needsGeneralPath`.
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

  /** Throws what `fromBinary` and `toJson` throw for bytes that are no such message, or that have no JSON form. */
  json(bytes: Uint8Array): string {
    const slots = this.#read(bytes);
    if (slots !== undefined && this.#reader !== undefined) return this.#reader.text(slots);
    return JSON.stringify(this.#general(bytes));
  }

  /** The same of some fields, each by itself; of the whole message in place of undefined. A field that has no key is undefined. */
  jsonOfEach(bytes: Uint8Array, fields: readonly (DescField | undefined)[]): readonly (string | undefined)[] {
    const reader = this.#reader;
    const slots = this.#read(bytes);
    if (slots !== undefined && reader !== undefined)
      return fields.map((field) => (field === undefined ? reader.text(slots) : reader.valueText(slots, field.number)));
    const json = this.#general(bytes) as JsonObject;
    return fields.map((field) => JSON.stringify(field === undefined ? json : json[field.jsonName]));
  }

  /** Undefined when the fast way does not lead there. */
  #read(bytes: Uint8Array): Slots | undefined {
    if (this.#reader === undefined) return undefined;
    try {
      return this.#reader.read(new Wire(bytes), bytes.length, 1);
    } catch {
      // Not only `needsGeneralPath`: the reader has its own errors, and those of the general way are the ones that callers know.
      return undefined;
    }
  }

  #general(bytes: Uint8Array): unknown {
    return encodeMessage(this.#message, fromBinary(this.#message, bytes), this.#registry);
  }
}

/** One transcoder per message; what they share is made once. */
export class Transcoders {
  readonly #readers: MessageReaders;
  readonly #made = new Map<DescMessage, Transcoder>();

  constructor(registry: Registry) {
    this.#readers = new MessageReaders(registry);
  }

  of(message: DescMessage): Transcoder {
    const made = this.#made.get(message) ?? new Transcoder(message, this.#readers);
    this.#made.set(message, made);
    return made;
  }
}
