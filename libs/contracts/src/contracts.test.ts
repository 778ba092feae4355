import assert from "node:assert/strict";
import { test } from "node:test";
import { createFileRegistry, fromBinary, getOption, hasOption } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import * as contracts from "./index.ts";

const { descriptorSet, Order, OrderStatus } = contracts;

interface ServiceDefinition {
  readonly fullName: string;
  readonly methods: Readonly<Record<string, { readonly name: string }>>;
}

const definitions = Object.values(contracts).filter(
  (exported): exported is ServiceDefinition & typeof exported => "fullName" in exported && "methods" in exported,
);

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
const ours = [...registry.files].filter(({ name }) => !/^(google|buf|plumbline)\//.test(name));

test("every generated method is described, and every described method generated", () => {
  const generated = definitions.flatMap(({ fullName, methods }: ServiceDefinition) =>
    Object.values(methods).map(({ name }) => `/${fullName}/${name}`),
  );
  const described = ours.flatMap((file) =>
    file.services.flatMap((service) => service.methods.map((method) => `/${service.typeName}/${method.name}`)),
  );
  assert.deepEqual(generated.toSorted(), described.toSorted());
});

test("every method of the public API carries its HTTP route", () => {
  const http = registry.getExtension("google.api.http");
  assert.ok(http);
  for (const file of ours) {
    for (const { methods } of file.services) {
      for (const method of methods) assert.ok(hasOption(method, http) && getOption(method, http), method.name);
    }
  }
});

test("every message apps import is described", () => {
  const names = new Set(ours.flatMap((file) => file.messages.map((message) => message.name)));
  const missing = [...names].filter((name) => !(name in contracts));
  assert.deepEqual(missing, []);
});

test("comments of our own protos are kept, those of imports are not", () => {
  const files = new Map(fromBinary(FileDescriptorSetSchema, descriptorSet).file.map((file) => [file.name, file]));
  const comments = files
    .get("greeter/v1/greeter.proto")
    ?.sourceCodeInfo?.location.map((at) => at.leadingComments.trim());
  assert.ok(comments?.includes("SayHello greets one name."));
  assert.equal(files.get("google/api/http.proto")?.sourceCodeInfo, undefined);
});

test("an order survives the wire, with 64-bit amounts and times in full", () => {
  const order = Order.fromPartial({
    id: "0197",
    customerId: "ada",
    items: [{ sku: "tea", quantity: 2 }],
    status: OrderStatus.ORDER_STATUS_FULFILLED,
    total: { currencyCode: "EUR", minorUnits: 9_007_199_254_740_993n },
    version: 2n,
    createTime: new Date("2026-11-22T10:00:00.123Z"),
  });
  assert.deepEqual(Order.decode(Order.encode(order).finish()), order);
});
