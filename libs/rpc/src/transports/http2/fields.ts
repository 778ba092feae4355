import { HeaderField } from "@plumbline/http2";
import { base64Of, Metadata } from "../../metadata.ts";
import { detailsName, pushbackName, type Status } from "../../status.ts";
import { percentEncode } from "./percent.ts";

const repeats = { repeats: true };
export const contentType = new HeaderField("content-type", "application/grpc", repeats);
export const teTrailers = new HeaderField("te", "trailers", repeats);
export const status200 = new HeaderField(":status", "200");
const statusOk = new HeaderField("grpc-status", "0", repeats);

/** Fields of the protocol, which are not metadata. */
const ownNames = new Set([
  "content-type",
  "content-length",
  "te",
  "grpc-timeout",
  "grpc-encoding",
  "grpc-accept-encoding",
  "grpc-status",
  "grpc-message",
]);

function isMetadata(name: string): boolean {
  return name.charCodeAt(0) !== 58 /* ":" */ && !ownNames.has(name);
}

export function appendMetadata(fields: HeaderField[], metadata: Metadata): void {
  for (const [name, value] of metadata) {
    fields.push(new HeaderField(name, typeof value === "string" ? value.trim() : base64Of(value)));
  }
}

/**
 * Returns the metadata among `fields`. Repeated text is joined as in HTTP; bytes are too, by some
 * peers.
 */
export function metadataOf(fields: readonly HeaderField[]): Metadata {
  const metadata = new Metadata();
  for (const { name, value } of fields) {
    if (!isMetadata(name)) continue;
    if (!name.endsWith("-bin")) metadata.receive(name, value);
    else if (!value.includes(",")) metadata.receiveBase64(name, value);
    else for (const one of value.split(",")) metadata.receiveBase64(name, one);
  }
  return metadata;
}

export function appendStatus(fields: HeaderField[], { code, message, details, pushbackMs }: Status): void {
  fields.push(code === 0 ? statusOk : new HeaderField("grpc-status", `${code}`, repeats));
  if (message !== "") fields.push(new HeaderField("grpc-message", percentEncode(message)));
  if (details !== undefined) fields.push(new HeaderField(detailsName, base64Of(details)));
  if (pushbackMs !== undefined) fields.push(new HeaderField(pushbackName, `${pushbackMs}`));
}
