import { createFileRegistry, fromBinary, toJsonString } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet } from "@plumbline/contracts";
import type { Message } from "@plumbline/messaging";

const maxShown = 4_096;

/** A message's data for people: an event of ours as JSON, text as it is, anything else in hex. At most 4 KiB of the latter two. */
export function readableData({ contentType, type, data }: Message): string {
  if (contentType === "application/protobuf") {
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
    const schema = registry.getMessage(type);
    try {
      if (schema !== undefined) return toJsonString(schema, fromBinary(schema, data), { registry });
    } catch {
      // It cannot be decoded, which may be why it lies here: shown as it is.
    }
  }
  const bytes = Buffer.from(data.subarray(0, maxShown));
  const cut = data.byteLength > maxShown ? ` ... ${data.byteLength} bytes` : "";
  return (
    (contentType.startsWith("text/") || contentType.includes("json") ? bytes.toString() : bytes.toString("hex")) + cut
  );
}
