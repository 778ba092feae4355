import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ServiceError } from "@plumbline/errors";
import * as fc from "fast-check";
import { parseJson } from "./parse.ts";
import { parseFast } from "./parse-fast.ts";
import { maxDepth, readJson } from "./scan.ts";

const nested = (depth: number): string => `${'{"a":['.repeat(depth / 2)}1${"]}".repeat(depth / 2)}`;

describe("the fast parser accepts exactly the texts in which the scanner finds no problem", () => {
  for (const text of [
    '{"a":":","b:":{"a":[{"a":1},{"a":1}]}}',
    '{"a":"\\\\","b":"\\"","c":"\\\\\\":"}',
    '{"__proto__":1,"a":{"__proto__":{}}}',
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":1}',
    '{"a":{"b":1},"a":2}',
    '{"__proto__":1,"__proto__":2}',
    '"{[:"',
    '{"a":"',
    '{"a":"\\"}',
    "",
    " null ",
    "[1 2]",
    `[${"{}, ".repeat(maxDepth)}[]]`,
    nested(maxDepth),
    nested(maxDepth + 2),
  ]) {
    test(text.slice(0, 60), () => agrees(text));
  }

  test("for any JSON, and for JSON with a piece inserted or removed", () => {
    const keys = fc.constantFrom('"a"', '"b"', '"\\u0061"', '"a:"', '"__proto__"', '"\\\\"', '"\\""');
    const { value: texts } = fc.letrec<{ value: string; object: string }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        keys,
        fc.constantFrom("1", "null", "-0", "1e999", '":{["'),
        tie("object"),
        fc.array(tie("value"), { maxLength: 3 }).map((items) => `[${items.join()}]`),
      ),
      object: fc
        .array(fc.tuple(keys, tie("value")), { maxLength: 3 })
        .map((entries) => `{${entries.map(([key, value]) => `${key}:${value}`).join()}}`),
    }));
    const pieces = fc.constantFrom("", "{", "]", ",", ":", '"', "\\", "0", "\u0001", " ");
    const broken = fc.tuple(texts, fc.nat(), pieces).map(([text, at, piece]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + piece + text.slice(place + (at % 2));
    });
    fc.assert(fc.property(fc.oneof(texts, broken, fc.json()), agrees), { numRuns: 3000 });
  });
});

test("a key with an escape is read correctly after an object with another key in its place", () => {
  const parsed = (text: string): unknown => parseJson(Buffer.from(text));
  // After such an object JSON.parse reads the second key of later ones as a backslash
  // (nodejs/node#63785).
  parsed('{"a":1,"\\\\":2}');
  assert.deepEqual(parsed('{"a":1,"\\n":2}'), { a: 1, "\n": 2 });
  assert.deepEqual(parsed('{"a":1,"\\u0062" :2}'), { a: 1, b: 2 });
  assert.throws(() => parsed('{"\\"":1,"\\"":2}'), /twice/);
});

test("a body that is not UTF-8 is refused, and the next one is read", () => {
  assert.throws(
    () => parseJson(Buffer.from([0x22, 0xe2, 0x82])),
    (error: ServiceError) => error.reason === "MALFORMED_JSON" && error.message === "The body is not valid UTF-8.",
  );
  assert.equal(parseJson(Buffer.from('\ufeff"€"')), "€");
});

function agrees(text: string): void {
  const value = parseFast(text);
  const read = readJson(text);
  if (value !== undefined) assert.deepEqual({ value }, read, text);
  else assert.ok("problem" in read || text.includes("\\"), text);
}
