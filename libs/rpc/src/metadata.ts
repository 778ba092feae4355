import { ServiceError } from "@plumbline/errors";

/** A value of metadata: text in printable ASCII, or bytes under a name that ends in "-bin". */
export type MetadataValue = string | Uint8Array;
export type MetadataInit = Readonly<Record<string, MetadataValue>>;

// gRPC over HTTP2, "Custom-Metadata"; names that begin with "grpc-" are the protocol's own.
const namePattern = /^(?!grpc-)[a-z0-9_.-]+$/;
const textPattern = /^[\x20-\x7e]*$/;

/**
 * The metadata of a call: names in lower case, with one value each. Repeated text is joined by ",
 * ", as in HTTP. For bytes the first value counts.
 */
export class Metadata implements Iterable<[string, MetadataValue]> {
  /** Created with the first value: headers and trailers of most calls have none. */
  #values: Map<string, MetadataValue> | undefined;

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

  get size(): number {
    return this.#values?.size ?? 0;
  }

  has(name: string): boolean {
    return this.#values?.has(name.toLowerCase()) ?? false;
  }

  /** Throws `invalid_argument` for a name or a value that gRPC cannot carry. */
  set(name: string, value: MetadataValue): void {
    const key = name.toLowerCase();
    if (!namePattern.test(key)) throw new ServiceError("invalid_argument", `invalid metadata name: ${printable(name)}`);
    if (key.endsWith("-bin") === (typeof value === "string")) {
      throw new ServiceError("invalid_argument", `${key}: names of binary metadata end in "-bin", and no others`);
    }
    if (typeof value === "string" && !textPattern.test(value)) {
      throw new ServiceError("invalid_argument", `${key}: metadata text must be printable ASCII`);
    }
    this.#values ??= new Map();
    this.#values.set(key, value);
  }

  /** Returns the text values, as a carrier of trace context. */
  texts(): Record<string, string> {
    const texts: Record<string, string> = {};
    if (this.#values === undefined) return texts;
    for (const [name, value] of this.#values) if (typeof value === "string") texts[name] = value;
    return texts;
  }

  [Symbol.iterator](): IterableIterator<[string, MetadataValue]> {
    return (this.#values ?? none).entries();
  }
}

const none: ReadonlyMap<string, MetadataValue> = new Map();

function printable(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
