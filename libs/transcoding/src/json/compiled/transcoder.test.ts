import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  create,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonObject,
  toBinary,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import * as fc from "fast-check";
import { AnyWire, broken } from "../../../test/support/any-wire.ts";
import { plumbline } from "../../../test/support/orders.ts";
import { shop } from "../../testing.ts";
import { encodeMessage } from "../encode.ts";
import { MessageReaders } from "./message-reader.ts";
import { Transcoders } from "./transcoder.ts";
import { Wire } from "./wire.ts";

const typeNamed = (registry: FileRegistry, name: string): DescMessage => registry.getMessage(name) ?? assert.fail(name);
const kinds = typeNamed(shop, "kinds.v1.Kinds");

/**
 * Converts bytes on the general path: a message, then its JSON. The transcoder must agree with it.
 */
function generalPath(message: DescMessage, bytes: Uint8Array, registry: FileRegistry): JsonObject {
  return encodeMessage(message, fromBinary(message, bytes), registry) as JsonObject;
}

function outcome(work: () => unknown): unknown {
  try {
    return { value: work() };
  } catch (error) {
    return { error: String(error) };
  }
}

const wire = new AnyWire();

describe("the JSON text of the fast path equals that of the general path", () => {
  for (const { registry, name, runs } of [
    { registry: shop, name: "kinds.v1.Kinds", runs: 1500 },
    { registry: shop, name: "kinds.v1.Numbered", runs: 50 },
    { registry: shop, name: "kinds.v1.Proto", runs: 50 },
    { registry: shop, name: "kinds.v1.Quoted", runs: 50 },
    { registry: shop, name: "kinds.v2.Kinds", runs: 500 },
    { registry: shop, name: "kinds.v2.Plain", runs: 1500 },
    { registry: shop, name: "kinds.v2.Inner", runs: 100 },
    { registry: shop, name: "kinds.v2.Lax", runs: 200 },
    { registry: shop, name: "kinds.v2.Required", runs: 50 },
    { registry: shop, name: "shop.v1.Everything", runs: 500 },
    { registry: shop, name: "google.protobuf.Struct", runs: 100 },
    { registry: shop, name: "google.protobuf.Timestamp", runs: 100 },
    { registry: shop, name: "google.protobuf.StringValue", runs: 100 },
    ...[...plumbline]
      .filter((type) => type.kind === "message" && !type.typeName.startsWith("google."))
      .map((type) => ({ registry: plumbline, name: type.typeName, runs: 100 })),
  ]) {
    const message = typeNamed(registry, name);
    const transcoder = new Transcoders(registry).of(message);
    const field = message.fields.at(-1);
    const agrees = (bytes: Uint8Array): void => {
      const expected = outcome(() => JSON.stringify(generalPath(message, bytes, registry)));
      assert.deepEqual(
        outcome(() => transcoder.json(bytes)),
        expected,
      );
      if (field === undefined || !("value" in (expected as object))) return;
      const [part, whole] = transcoder.jsonOfEach(bytes, [field, undefined]);
      assert.deepEqual({ value: whole }, expected);
      const json = generalPath(message, bytes, registry);
      if (typeof json === "object") assert.equal(part, JSON.stringify(json[field.jsonName]));
    };

    test(name, () => {
      fc.assert(fc.property(wire.message(message), agrees), { numRuns: runs });
    });
    test(`${name} with broken bytes: both paths fail alike, or agree`, () => {
      fc.assert(fc.property(broken(wire.message(message)), agrees), { numRuns: runs });
    });
    test(`${name} from random bytes`, () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 30 }), agrees), { numRuns: runs });
    });
  }

  test("messages nested up to the bound are read, and deeper ones refused", () => {
    const transcoder = new Transcoders(shop).of(kinds);
    // Other code reads a struct; the depth around it must count there too.
    const nested = toBinary(kinds, fromJson(kinds, { struct: { a: { b: {} } } }));
    for (const last of ["kinds", "struct"]) {
      for (let depth = 95; depth < 105; depth++) {
        let bytes: Uint8Array = last === "kinds" ? new Uint8Array(0) : nested;
        for (let level = 1; level < depth; level++) bytes = around(17, bytes);
        const expected = outcome(() => JSON.stringify(generalPath(kinds, bytes, shop)));
        assert.deepEqual(
          outcome(() => transcoder.json(bytes)),
          expected,
        );
        assert.equal("error" in (expected as object), last === "kinds" ? depth > 100 : depth > 95, `${last} ${depth}`);
      }
    }
  });
});

describe("messages from regular encoders take the fast path", () => {
  for (const { registry, name } of [
    { registry: plumbline, name: "orders.v1.Order" },
    { registry: plumbline, name: "greeter.v1.HelloReply" },
    { registry: shop, name: "kinds.v1.Kinds" },
  ]) {
    test(name, () => {
      const message = typeNamed(registry, name);
      const reader = new MessageReaders(registry).of(message) ?? assert.fail();
      const read = (bytes: Uint8Array): unknown => reader.read(new Wire(bytes), bytes.length, 1);
      fc.assert(
        fc.property(wire.message(message), (bytes) => {
          const value = outcome(() => generalPath(message, bytes, registry));
          // Bytes of a regular encoder: no unknown fields, and no text with replaced characters.
          fc.pre("value" in (value as object) && !JSON.stringify(value).includes("\ufffd"));
          read(toBinary(message, withoutUnknown(message, bytes)));
        }),
        { numRuns: 500 },
      );
      read(toBinary(message, create(message)));
    });
  }

  test("unknown fields are skipped", () => {
    const reader = new MessageReaders(plumbline).of(typeNamed(plumbline, "greeter.v1.HelloReply")) ?? assert.fail();
    const bytes = Buffer.from(
      `9a0603616263 a00601 a50601020304 a1060102030405060708 0a0141`.replaceAll(" ", ""),
      "hex",
    );
    assert.equal(reader.text(reader.read(new Wire(bytes), bytes.length, 1)), '{"message":"A"}');
  });
});

function around(number: number, bytes: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish();
}

function withoutUnknown(message: DescMessage, bytes: Uint8Array) {
  return fromBinary(message, bytes, { readUnknownFields: false });
}
