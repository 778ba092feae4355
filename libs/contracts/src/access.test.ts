import assert from "node:assert/strict";
import { test } from "node:test";
import { createFileRegistry, fromBinary, setExtension, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, type MethodDescriptorProto, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { readAccessRules } from "./access.ts";
import { descriptorSet } from "./gen/descriptors.ts";

const path = "/orders.v1.OrdersService/GetOrder";

/** Returns what is read after a change to one method of the real descriptors. */
function after(change: (method: MethodDescriptorProto) => void) {
  const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
  const service = set.file.find(({ name }) => name === "orders/v1/orders.proto")?.service[0];
  const method = service?.method.find(({ name }) => name === "GetOrder");
  assert(method);
  change(method);
  return readAccessRules(
    createFileRegistry(fromBinary(FileDescriptorSetSchema, toBinary(FileDescriptorSetSchema, set))),
  );
}

/** Replaces the rule of the method. */
function rule(fields: { scopes?: string[]; public?: boolean; internal?: boolean }) {
  const extension = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet)).getExtension(
    "plumbline.access.v1.rule",
  );
  assert(extension?.message);
  const { message } = extension;
  return after(({ options }) => {
    assert(options);
    const value = { $typeName: message.typeName, scopes: [], public: false, internal: false, ...fields };
    setExtension(options, extension, value);
  });
}

test("every method of our services has a rule", () => {
  const { rules, problems } = after(() => {});
  assert.deepEqual(problems, []);
  assert.deepEqual(rules.get(path), { kind: "scopes", scopes: ["orders:read"] });
  assert.deepEqual(rules.get("/greeter.v1.Greeter/SayHello"), { kind: "public" });
});

test("a method without options is named, with what to add", () => {
  const { rules, problems } = after((method) => delete method.options);
  assert.equal(rules.has(path), false);
  assert.deepEqual(problems, [
    `${path}: no access rule: add option (plumbline.access.v1.rule) = {scopes: ["orders:read"]}, {public: true} or {internal: true}`,
  ]);
});

test("a method with only a route is named", () => {
  const { problems } = after((method) => {
    const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
    const options = set.file
      .find(({ name }) => name === "orders/v1/orders.proto")
      ?.service[0]?.method.find(({ name }) => name === "GetOrder")?.options;
    method.options = fromBinary(MethodOptionsSchema, new Uint8Array());
    // Field 72295728 is google.api.http; the rule is left out.
    method.options.$unknown = (options?.$unknown ?? []).filter(({ no }) => no === 72_295_728);
    assert.equal(method.options.$unknown.length, 1);
  });
  assert.equal(problems.length, 1);
});

for (const [name, fields, problem] of [
  ["empty", {}, "exactly one of"],
  ["public and internal", { public: true, internal: true }, "exactly one of"],
  ["public with scopes", { public: true, scopes: ["orders:read"] }, "exactly one of"],
  ["internal with scopes", { internal: true, scopes: ["orders:read"] }, "exactly one of"],
  ["of a scope with a space", { scopes: ["orders:read orders:write"] }, 'is not like "orders:read"'],
  ["of an empty scope", { scopes: [""] }, 'is not like "orders:read"'],
  ["of a scope without a colon", { scopes: ["orders"] }, 'is not like "orders:read"'],
  ["of one scope twice", { scopes: ["orders:read", "orders:read"] }, "twice"],
  ["of 11 scopes", { scopes: Array.from({ length: 11 }, (_, id) => `orders:s${id}`) }, "at most 10"],
] as const) {
  test(`a rule that is ${name} is refused`, () => {
    const { rules, problems } = rule(fields as { scopes?: string[] });
    assert.equal(rules.has(path), false);
    assert.equal(problems.length, 1);
    const [found = ""] = problems;
    assert(found.startsWith(`${path}: `) && found.includes(problem), found);
  });
}

test("an internal method, and one with several scopes, are read", () => {
  assert.deepEqual(rule({ internal: true }).rules.get(path), { kind: "internal" });
  const scopes = ["orders:read", "orders:operate"];
  assert.deepEqual(rule({ scopes }).rules.get(path), { kind: "scopes", scopes });
});
