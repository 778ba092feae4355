import { Metadata as GrpcMetadata } from "@grpc/grpc-js";
import { Metadata } from "../../metadata.ts";

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
