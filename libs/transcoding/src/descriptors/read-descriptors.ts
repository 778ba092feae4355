import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/**
 * Reads a serialized google.protobuf.FileDescriptorSet with all its imports, as `buf build` writes
 * it.
 */
export function readDescriptors(set: Uint8Array): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
}
