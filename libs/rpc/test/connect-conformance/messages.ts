import type { MetadataInit, MetadataValue } from "../../src/metadata.ts";
import type { Header } from "./gen/connectrpc/conformance/v1/service.ts";
import type { Any } from "./gen/google/protobuf/any.ts";

interface Encoder<T> {
  encode(message: T): { finish(): Uint8Array };
}

const typePrefix = "type.googleapis.com/connectrpc.conformance.v1.";

export function pack<T>(name: string, codec: Encoder<T>, message: T): Any {
  return { typeUrl: `${typePrefix}${name}`, value: codec.encode(message).finish() };
}

/** Yields the messages of a stream, each behind its length in four bytes. */
export async function* readMessages(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const chunk of input) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
      const end = 4 + rest.readUInt32BE(0);
      yield rest.subarray(4, end);
      rest = rest.subarray(end);
    }
  }
}

export function writeMessage(bytes: Uint8Array): void {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  process.stdout.write(Buffer.concat([length, bytes]));
}

/** Returns headers of the suite as metadata. Bytes are text in base64 there. */
export function toMetadata(headers: readonly Header[]): MetadataInit {
  const metadata: Record<string, MetadataValue> = {};
  for (const { name, value } of headers) {
    const key = name.toLowerCase();
    for (const one of value) {
      // A name has one value here: of repeated text all, as HTTP joins it, and of bytes the first.
      if (key.endsWith("-bin")) metadata[key] ??= Buffer.from(one, "base64");
      else metadata[key] = metadata[key] === undefined ? one : `${String(metadata[key])}, ${one}`;
    }
  }
  return metadata;
}

/** Returns metadata as headers of the suite. */
export function toHeaders(metadata: Iterable<readonly [string, MetadataValue]>): Header[] {
  return Array.from(metadata, ([name, value]) => ({
    name,
    value: [typeof value === "string" ? value : Buffer.from(value).toString("base64").replace(/=+$/, "")],
  }));
}

/** Returns PEM, or undefined for none. */
export function pem(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined || bytes.length === 0 ? undefined : Buffer.from(bytes).toString();
}
