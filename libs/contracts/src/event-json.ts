import { createFileRegistry, fromBinary, toJsonString } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet } from "./gen/descriptors.ts";

/**
 * Returns an event as protobuf JSON, for tools that show events to people. Returns undefined if the
 * type is unknown or the data cannot be decoded.
 */
export function eventToJson(type: string, data: Uint8Array): string | undefined {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
  const schema = registry.getMessage(type);
  if (schema === undefined) return undefined;
  try {
    return toJsonString(schema, fromBinary(schema, data), { registry });
  } catch {
    return undefined;
  }
}
