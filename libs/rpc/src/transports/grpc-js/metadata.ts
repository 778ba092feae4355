import { Metadata as GrpcMetadata } from "@grpc/grpc-js";
import { base64Of, Metadata } from "../../metadata.ts";

/** A part of grpc-js's metadata that is not public. */
interface Values {
  readonly internalRepr: Map<string, string[]>;
}

export function toGrpc(metadata: Metadata): GrpcMetadata {
  const grpc = new GrpcMetadata();
  for (const [name, value] of metadata) {
    if (typeof value === "string") grpc.add(name, value);
    else addBytes(grpc, name, value);
  }
  return grpc;
}

/**
 * Adds bytes as their text, which grpc-js sends as it is. From bytes it would make three copies,
 * and a text with padding, which gRPC asks senders to leave out.
 */
export function addBytes(grpc: GrpcMetadata, name: string, bytes: Uint8Array): void {
  const { internalRepr } = grpc as unknown as Values;
  const text = base64Of(bytes);
  const before = internalRepr.get(name);
  if (before === undefined) internalRepr.set(name, [text]);
  else before.push(text);
}

/** Converts metadata. Repeated text is joined as in HTTP. Text of bytes costs less than a copy. */
export function fromGrpc(grpc: GrpcMetadata): Metadata {
  const metadata = new Metadata();
  for (const [name, values] of Object.entries(grpc.toJSON())) {
    for (const value of values) {
      if (typeof value === "string") metadata.receive(name, value);
      else metadata.receiveBase64(name, value.toString("base64"));
    }
  }
  return metadata;
}
