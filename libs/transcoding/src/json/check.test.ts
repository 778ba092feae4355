import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonValue } from "@bufbuild/protobuf";
import { shop } from "../testing.ts";
import { checkMessage } from "./check.ts";
import { Violations } from "./violations.ts";

const kinds = shop.getMessage("kinds.v1.Kinds") ?? assert.fail();

describe("a value that does not fit is reported by its path", () => {
  for (const { json, field, description } of [
    { json: { stringValues: ["a", null] }, field: "stringValues[1]", description: "expected a string, found null" },
    { json: { manyKinds: [null] }, field: "manyKinds[0]", description: "expected an object, found null" },
    { json: { times: [null] }, field: "times[0]", description: /^expected a time/ },
    { json: { null: 1 }, field: "null", description: "expected null, found the number 1" },
    { json: { nulls: [null, "x"] }, field: "nulls[1]", description: 'expected null, found the string "x"' },
    { json: { list: { a: 1 } }, field: "list", description: "expected a list, found an object" },
    { json: { values: { a: Infinity } }, field: "values.a", description: /^expected a number that a double can hold/ },
    { json: { struct: { "\ud800": 1 } }, field: /^struct/, description: "expected a key without lone surrogates" },
  ] as const) {
    test(`${JSON.stringify(json)} at ${field}`, () => {
      const [violation] = violationsOf(json as unknown as JsonValue);
      if (typeof field === "string") assert.equal(violation?.field, field);
      else assert.match(violation?.field ?? "", field);
      if (typeof description === "string") assert.equal(violation?.description, description);
      else assert.match(violation?.description ?? "", description);
    });
  }
});

test("null is a value of a google.protobuf.Value and of a NullValue, and unsets every other field", () => {
  assert.deepEqual(violationsOf({ null: null, value: null, nulls: [null], values: { a: null }, any: null }), []);
});

function violationsOf(json: JsonValue): unknown[] & { field?: string; description?: string }[] {
  const violations = new Violations();
  checkMessage(kinds, json, "", { violations, registry: shop });
  try {
    violations.throwIfAny("kinds");
    return [];
  } catch (error) {
    return (error as { violations: { field: string; description: string }[] }).violations;
  }
}
