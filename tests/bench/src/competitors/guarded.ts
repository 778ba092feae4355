import { readFileSync, writeFileSync } from "node:fs";
import { create, createFileRegistry, fromBinary, setExtension, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet } from "@plumbline/contracts";

/** A scope that clients of the issuer for development have. */
const scope = "orders:read";

/**
 * Writes a copy of a service's bundle whose SayHello needs a token, as the methods of orders do. By
 * its own rule it is public, so the tokens of its calls would not be read.
 */
export function writeGuarded(bundle: string, copy: string): void {
  const text = readFileSync(bundle, "utf8");
  const before = Buffer.from(descriptorSet).toString("base64");
  if (!text.includes(before)) throw new Error(`${bundle} does not have the descriptors of this checkout: build it`);
  writeFileSync(copy, text.replace(before, Buffer.from(guardedDescriptors()).toString("base64")));
}

/** Returns the descriptors with the rule of such a SayHello. */
export function guardedDescriptors(): Uint8Array {
  const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
  const rule = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet)).getExtension(
    "plumbline.access.v1.rule",
  );
  const method = set.file
    .find(({ name }) => name === "greeter/v1/greeter.proto")
    ?.service[0]?.method.find(({ name }) => name === "SayHello");
  if (rule?.message === undefined || method?.options === undefined) throw new Error("SayHello has no access rule");
  setExtension(method.options, rule, create(rule.message, { scopes: [scope] }));
  return toBinary(FileDescriptorSetSchema, set);
}
