import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type DescMessage, fromJson, type JsonObject, type JsonValue, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { anyJson } from "../../../test/support/any-json.ts";
import { plumbline } from "../../../test/support/orders.ts";
import { shop } from "../../testing.ts";
import { checkMessage } from "../check.ts";
import { Violations } from "../violations.ts";
import { MessageWriters } from "./message-writer.ts";

describe("messages written on the fast path pass the checks and have the bytes of the general path", () => {
  for (const { registry, name, runs, never = false } of [
    { registry: shop, name: "kinds.v1.Kinds", runs: 3000 },
    { registry: shop, name: "kinds.v2.Plain", runs: 300 },
    { registry: shop, name: "kinds.v2.Inner", runs: 100, never: true },
    { registry: shop, name: "kinds.v2.Required", runs: 100, never: true },
    { registry: shop, name: "kinds.v1.Proto", runs: 100, never: true },
    { registry: shop, name: "shop.v1.Everything", runs: 1000 },
    { registry: plumbline, name: "orders.v1.PlaceOrderRequest", runs: 500 },
  ]) {
    const message: DescMessage = registry.getMessage(name) ?? assert.fail();
    const writer = new MessageWriters().of(message);

    test(name, () => {
      let fast = 0;
      const agrees = (json: JsonValue): void => {
        const bytes = writer?.bytes(json);
        if (bytes === undefined) return;
        fast += 1;
        const violations = new Violations();
        checkMessage(message, json, "", { violations, registry });
        violations.throwIfAny(name);
        assert.deepEqual(bytes, toBinary(message, fromJson(message, json, { registry })));
      };
      fc.assert(fc.property(anyJson(message, registry), agrees), { numRuns: runs });
      assert.ok(never ? fast === 0 : fast > runs / 50, `${fast} of ${runs} took the fast path`);
    });
  }
});

test("the fast path writes fields of all scalar types, lists and messages", () => {
  const message = shop.getMessage("kinds.v1.Kinds") ?? assert.fail();
  const json: JsonObject = Object.fromEntries([
    ["double", -0],
    ["float", 0.5],
    ["int32", -7],
    ["int64", "-7"],
    ["uint32", 7],
    ["uint64", "7"],
    ["sint32", -7],
    ["sint64", "-7"],
    ["fixed32", 7],
    ["fixed64", 7],
    ["sfixed32", "-7"],
    ["sfixed64", -7],
    ["bool", true],
    ["string", "Ä"],
    ["color", "COLOR_CRIMSON"],
    ["kinds", { kinds: {}, string: "x".repeat(200) }],
    ["doubles", [0, 1]],
    ["floats", []],
    ["sint64s", ["0"]],
    ["bools", [true, false]],
    ["strings", ["", "a"]],
    ["colors", ["COLOR_UNSPECIFIED"]],
    ["manyKinds", [{}, { bool: true }]],
    ["unpacked", [0, 1]],
    ["far", "z"],
  ]);
  const bytes = new MessageWriters().of(message)?.bytes(json);
  assert.deepEqual(bytes, toBinary(message, fromJson(message, json)));
});

test("a message that is abandoned half way leaves nothing in the next one", () => {
  const message = plumbline.getMessage("orders.v1.PlaceOrderRequest") ?? assert.fail();
  const writer = new MessageWriters().of(message) ?? assert.fail();
  assert.equal(writer.bytes({ customerId: "me", items: [{ sku: "tea", quantity: "many" }] }), undefined);
  assert.deepEqual(writer.bytes({ customerId: "A" }), Uint8Array.of(0x0a, 1, 0x41));
});
