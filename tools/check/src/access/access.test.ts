import assert from "node:assert/strict";
import { test } from "node:test";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet } from "@plumbline/contracts";
import { accessDocument } from "./document.ts";

function documentOf(service: string, method: string, keepsOptions: boolean) {
  const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
  const found = set.file
    .flatMap((file) => file.service)
    .find(({ name }) => name === service)
    ?.method.find(({ name }) => name === method);
  assert(found);
  if (!keepsOptions) delete found.options;
  return accessDocument(createFileRegistry(set));
}

test("the page has each RPC with its routes and its callers", () => {
  const { text, problems } = documentOf("Greeter", "SayHello", true);
  assert.deepEqual(problems, []);
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  assert(
    rows.includes(
      "| `greeter.v1.Greeter/SayHello` | `GET /v1/greetings/{name}`<br>`POST /v1/greetings` | everybody, without a token |",
    ),
  );
  assert(
    rows.includes("| `orders.v1.OrdersService/CancelOrder` | `POST /v1/orders/{order_id}:cancel` | `orders:write` |"),
  );
});

test("an RPC without a rule is a problem that names it, and has no row", () => {
  const { text, problems } = documentOf("OrdersService", "CancelOrder", false);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /^\/orders\.v1\.OrdersService\/CancelOrder: no access rule: add option/);
  assert.doesNotMatch(text, /CancelOrder/);
});
