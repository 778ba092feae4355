import { ServiceError } from "@plumbline/errors";

/** A value of metadata: text in printable ASCII, or bytes under a name that ends in "-bin". */
export type MetadataValue = string | Uint8Array;
export type MetadataInit = Readonly<Record<string, MetadataValue>>;

// gRPC over HTTP2, "Custom-Metadata"; names that begin with "grpc-" are the protocol's own.
const namePattern = /^(?!grpc-)[a-z0-9_.-]+$/;
const textPattern = /^[\x20-\x7e]*$/;

/**
 * The metadata of a call: names in lower case. Repeated text is joined by ", ", as in HTTP.
 * `getBinary` returns the first of repeated bytes, `getAllBinary` all.
 */
export class Metadata implements Iterable<[string, MetadataValue]> {
  /** Created with the first value: headers and trailers of most calls have none. */
  #values: Map<string, MetadataValue | Base64> | undefined;
  /** The bytes after the first of a name. */
  #further: [string, Uint8Array | Base64][] | undefined;
  /** True once there may be values that are not decoded. */
  #hasBase64 = false;

  /** Throws `invalid_argument` for a name or a value that gRPC cannot carry. */
  constructor(init?: MetadataInit) {
    if (init === undefined) return;
    for (const name of Object.keys(init)) this.set(name, init[name]!);
  }

  /**
   * Returns received metadata, protocol names included. The transport has parsed it, so nothing is
   * refused.
   */
  static received(entries: Iterable<readonly [string, MetadataValue]>): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of entries) metadata.receive(name, value);
    return metadata;
  }

  /** Adds a received or protocol value, with the name in lower case. Nothing is refused. */
  receive(name: string, value: MetadataValue): void {
    this.#receive(name, value);
  }

  /**
   * Adds received bytes as they were sent, with the name in lower case. They are decoded when they
   * are read: most are not, and bytes take more memory than their text.
   */
  receiveBase64(name: string, text: string): void {
    this.#hasBase64 = true;
    this.#receive(name, new Base64(text));
  }

  #receive(name: string, value: MetadataValue | Base64): void {
    this.#values ??= new Map();
    const before = this.#values.get(name);
    if (before === undefined) this.#values.set(name, value);
    else if (typeof before === "string" && typeof value === "string") this.#values.set(name, `${before}, ${value}`);
    else if (typeof value !== "string") (this.#further ??= []).push([name, value]);
  }

  get(name: string): string | undefined {
    const value = this.#values?.get(name.toLowerCase());
    return typeof value === "string" ? value : undefined;
  }

  /** Returns the bytes of a name that ends in "-bin". */
  getBinary(name: string): Uint8Array | undefined {
    const value = this.#values?.get(name.toLowerCase());
    return value === undefined || typeof value === "string" ? undefined : bytesOf(value);
  }

  /** Returns all bytes of a name that ends in "-bin", in the order that they were sent in. */
  getAllBinary(name: string): Uint8Array[] {
    return this.#allBinary(name).map(bytesOf);
  }

  /** Returns the same in base64, which costs less if they were received so. */
  getAllBase64(name: string): string[] {
    return this.#allBinary(name).map((value) => (value instanceof Base64 ? value.text : base64Of(value)));
  }

  #allBinary(name: string): (Uint8Array | Base64)[] {
    const key = name.toLowerCase();
    const first = this.#values?.get(key);
    if (first === undefined || typeof first === "string") return [];
    if (this.#further === undefined) return [first];
    return [first, ...this.#further.filter(([of]) => of === key).map(([, value]) => value)];
  }

  /** Adds a value. Text is joined with the text before. Throws as `set` does. */
  append(name: string, value: MetadataValue): void {
    const key = name.toLowerCase();
    if (!this.has(key)) return this.set(key, value);
    check(key, value);
    this.receive(key, value);
  }

  get size(): number {
    return this.#values?.size ?? 0;
  }

  has(name: string): boolean {
    return this.#values?.has(name.toLowerCase()) ?? false;
  }

  /** Throws `invalid_argument` for a name or a value that gRPC cannot carry. */
  set(name: string, value: MetadataValue): void {
    const key = name.toLowerCase();
    check(key, value);
    this.#values ??= new Map();
    this.#values.set(key, value);
    if (this.#further !== undefined) this.#further = this.#further.filter(([of]) => of !== key);
  }

  /** Returns the text values, as a carrier of trace context. */
  texts(): Record<string, string> {
    const texts: Record<string, string> = {};
    if (this.#values === undefined) return texts;
    for (const [name, value] of this.#values) if (typeof value === "string") texts[name] = value;
    return texts;
  }

  /** Yields all values. A name is repeated for each of its further bytes. */
  [Symbol.iterator](): IterableIterator<[string, MetadataValue]> {
    const firsts = (this.#values ?? none).entries();
    if (this.#further === undefined && !this.#hasBase64) return firsts as IterableIterator<[string, MetadataValue]>;
    const all = [...firsts, ...(this.#further ?? [])];
    return all.map(([name, value]): [string, MetadataValue] => [name, decoded(value)]).values();
  }
}

const none: ReadonlyMap<string, MetadataValue> = new Map();

/** Bytes as they are sent, with or without padding. */
class Base64 {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function decoded(value: MetadataValue | Base64): MetadataValue {
  return value instanceof Base64 ? bytesOf(value) : value;
}

function bytesOf(value: Uint8Array | Base64): Uint8Array {
  return value instanceof Base64 ? fromBase64(value.text) : value;
}

/**
 * Decodes with or without padding, into memory of its own. Several values may be joined by commas;
 * the first counts.
 */
export function fromBase64(text: string): Uint8Array {
  const comma = text.indexOf(",");
  return new Uint8Array(Buffer.from(comma < 0 ? text : text.slice(0, comma), "base64"));
}

/** The texts of bytes that are sent often. */
const encoded = new WeakMap<Uint8Array, string>();

/**
 * Returns the bytes, and encodes them for all calls that send this very object, such as those of
 * one caller. It is not written to from then on: what was there before would still be sent.
 */
export function sentOften(bytes: Uint8Array): Uint8Array {
  encoded.set(bytes, encode(bytes));
  return bytes;
}

/** Returns bytes as they are sent: in base64 without padding, as gRPC asks of senders. */
export function base64Of(bytes: Uint8Array): string {
  return encoded.get(bytes) ?? encode(bytes);
}

function encode(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  const padding = (3 - (bytes.byteLength % 3)) % 3;
  return text.slice(0, text.length - padding);
}

/** Throws `invalid_argument` for a name in lower case, or a value, that gRPC cannot carry. */
function check(key: string, value: MetadataValue): void {
  if (!namePattern.test(key)) throw new ServiceError("invalid_argument", `invalid metadata name: ${printable(key)}`);
  if (key.endsWith("-bin") === (typeof value === "string")) {
    throw new ServiceError("invalid_argument", `${key}: names of binary metadata end in "-bin", and no others`);
  }
  if (typeof value === "string" && !textPattern.test(value)) {
    throw new ServiceError("invalid_argument", `${key}: metadata text must be printable ASCII`);
  }
}

function printable(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
