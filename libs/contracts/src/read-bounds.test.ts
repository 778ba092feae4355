import assert from "node:assert/strict";
import { test } from "node:test";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet } from "./index.ts";
import { readBounds } from "./read-bounds.ts";

test("a field that the proto marks as optional may be absent, and others may not", () => {
  const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
  const message = set.file
    .find(({ name }) => name === "orders/v1/orders.proto")
    ?.messageType.find(({ name }) => name === "PlaceOrderRequest");
  const customer = message?.field.find(({ name }) => name === "customer_id");
  assert.ok(message && customer);
  const before = readBounds(createFileRegistry(set))["orders.v1.PlaceOrderRequest"];
  assert.equal(before?.["customerId"]?.optional, undefined);

  customer.proto3Optional = true;
  customer.oneofIndex = message.oneofDecl.length;
  message.oneofDecl.push({ $typeName: "google.protobuf.OneofDescriptorProto", name: "_customer_id" });
  const after = readBounds(createFileRegistry(set))["orders.v1.PlaceOrderRequest"];
  assert.equal(after?.["customerId"]?.optional, true);
});
