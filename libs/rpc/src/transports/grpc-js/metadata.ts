import type { OutgoingHttpHeaders } from "node:http2";
import { Metadata as GrpcMetadata } from "@grpc/grpc-js";
import { Metadata } from "../../metadata.ts";

const prototype = GrpcMetadata.prototype as unknown as {
  toHttp2Headers: (this: GrpcMetadata) => OutgoingHttpHeaders;
};
const { toHttp2Headers } = prototype;

/** Sends bytes without padding, as gRPC asks for; grpc-js pads them. */
prototype.toHttp2Headers = function (this: GrpcMetadata): OutgoingHttpHeaders {
  const headers = toHttp2Headers.call(this);
  for (const name in headers) {
    if (!name.endsWith("-bin")) continue;
    const value = headers[name];
    headers[name] = Array.isArray(value) ? value.map(withoutPadding) : withoutPadding(String(value));
  }
  return headers;
};

function withoutPadding(base64: string): string {
  return base64.replace(/=+$/, "");
}

export function toGrpc(metadata: Metadata): GrpcMetadata {
  const grpc = new GrpcMetadata();
  for (const [name, value] of metadata) grpc.add(name, typeof value === "string" ? value : Buffer.from(value));
  return grpc;
}

/** Converts metadata. Repeated text is joined as in HTTP. */
export function fromGrpc(grpc: GrpcMetadata): Metadata {
  const metadata = new Metadata();
  for (const [name, values] of Object.entries(grpc.toJSON())) {
    for (const value of values) metadata.receive(name, typeof value === "string" ? value : new Uint8Array(value));
  }
  return metadata;
}
