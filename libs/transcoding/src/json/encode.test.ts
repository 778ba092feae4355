import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, type DescMessage, fromBinary, fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { shop } from "../testing.ts";
import { encodeMessage } from "./encode.ts";
import { shortFloat } from "./short-float.ts";

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

test("a float is written as the shortest text that reads back as it, also in wrappers, lists, maps and Any", () => {
  const kinds = typeNamed("kinds.v1.Kinds");
  const wire = toBinary(kinds, create(kinds, { float: 0.1, floats: [0.1, 3.4028234663852886e38, 16777216, 1e-45] }));
  const { float, floats } = encodeMessage(kinds, fromBinary(kinds, wire), shop) as Record<string, unknown>;
  assert.deepEqual([float, floats], [0.1, [0.1, 3.4028235e38, 16777216, 1e-45]]);
  const any = { "@type": "x/kinds.v1.Kinds", float: 0.3, kinds: { floats: [0.7] } };
  const inAny = encodeMessage(kinds, fromJson(kinds, { any }, { registry: shop }), shop) as typeof any & {
    any: typeof any;
  };
  assert.deepEqual([inAny.any.float, inAny.any.kinds.floats], [0.3, [0.7]]);
});

test("a shortened float reads back as itself", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true }), (value) => {
      const short = shortFloat(value);
      assert.ok(Object.is(Math.fround(short), value), `${value}`);
      assert.ok(String(short).length <= String(value).length);
    }),
    { numRuns: 5000 },
  );
});
