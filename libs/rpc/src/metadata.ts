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
  #values: Map<string, MetadataValue> | undefined;
  /** The bytes after the first of a name. */
  #further: [string, Uint8Array][] | undefined;

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
    return typeof value === "string" ? undefined : value;
  }

  /** Returns all bytes of a name that ends in "-bin", in the order that they were sent in. */
  getAllBinary(name: string): Uint8Array[] {
    const first = this.getBinary(name);
    if (first === undefined) return [];
    const key = name.toLowerCase();
    return [first, ...(this.#further ?? []).filter(([of]) => of === key).map(([, value]) => value)];
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
    return this.#further === undefined ? firsts : [...firsts, ...this.#further].values();
  }
}

const none: ReadonlyMap<string, MetadataValue> = new Map();

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
