import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { shop } from "../testing.ts";
import { encodeMessage } from "./encode.ts";

const typeNamed = (name: string): DescMessage => shop.getMessage(name) ?? assert.fail(name);
const everything = typeNamed("shop.v1.Everything");

function encoded(json: JsonValue): Record<string, unknown> {
  return encodeMessage(everything, fromJson(everything, json), shop) as Record<string, unknown>;
}

describe("unset fields", () => {
  test("are written as grpc-gateway writes them", () => {
    assert.equal(
      JSON.stringify(encodeMessage(everything, create(everything), shop)),
      JSON.stringify({
        text: "",
        flag: false,
        count: 0,
        natural: 0,
        big: "0",
        bigNatural: "0",
        ratio: 0,
        smallRatio: 0,
        data: "",
        size: "SIZE_UNSPECIFIED",
        inner: null,
        texts: [],
        counts: [],
        sizes: [],
        inners: [],
        countsByName: {},
        innersByNumber: {},
        at: null,
        took: null,
        mask: null,
        fields: null,
        value: null,
        maybeText: null,
        maybeBig: null,
        any: null,
        times: [],
      }),
    );
  });

  test("are written inside messages, lists and maps", () => {
    const inner = { name: "", deeper: null, amount: "0" };
    const value = encoded({ inner: {}, inners: [{}], innersByNumber: { 1: {} } });
    assert.deepEqual(value["inner"], inner);
    assert.deepEqual(value["inners"], [inner]);
    assert.deepEqual(value["innersByNumber"], { "1": inner });
  });

  test("in a oneof and optional ones are written only if they are set", () => {
    const value = encoded({ chosenText: "", optionalText: "" });
    assert.equal(value["chosenText"], "");
    assert.equal(value["optionalText"], "");
  });

  test("are not added to a google.protobuf.Struct or Value", () => {
    assert.deepEqual(encoded({ fields: { inner: {} } })["fields"], { inner: {} });
  });
});

test("an unknown enum value is written as its number", () => {
  assert.equal(
    (encodeMessage(everything, create(everything, { size: 77 }), shop) as Record<string, unknown>)["size"],
    77,
  );
});
