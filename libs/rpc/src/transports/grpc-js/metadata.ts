import { Metadata as GrpcMetadata } from "@grpc/grpc-js";
import { Metadata } from "../../metadata.ts";

export function toGrpc(metadata: Metadata): GrpcMetadata {
  const grpc = new GrpcMetadata();
  for (const [name, value] of metadata) grpc.set(name, typeof value === "string" ? value : Buffer.from(value));
  return grpc;
}

/** Converts metadata. Repeated text is joined as in HTTP. For bytes the first value counts. */
export function fromGrpc(grpc: GrpcMetadata): Metadata {
  return Metadata.received(
    Object.entries(grpc.toJSON()).map(([name, values]) => {
      const [first = ""] = values;
      return [name, typeof first === "string" ? values.join(", ") : new Uint8Array(first)];
    }),
  );
}
