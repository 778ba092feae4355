import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { maxDepth, readJson, scanJson } from "./scan.ts";

describe("a JSON text", () => {
  for (const { text, offset, description } of [
    { text: "", offset: 0, description: "the text ends, but a value is expected" },
    { text: '{"a":}', offset: 5, description: "expected a value" },
    { text: '{"a":1,}', offset: 7, description: "expected a key in double quotes" },
    { text: '{"a" 1}', offset: 5, description: 'expected ":"' },
    { text: '{"a":1', offset: 6, description: 'the text ends, but "," or "}" is expected' },
    { text: "[1 2]", offset: 3, description: 'expected "," or "]"' },
    { text: "{a:1}", offset: 1, description: "expected a key in double quotes" },
    { text: "01", offset: 1, description: "expected the end of the text" },
    { text: "{} x", offset: 3, description: "expected the end of the text" },
    { text: '"a\nb"', offset: 2, description: "control character in a string" },
    { text: '"\\x"', offset: 1, description: "unknown escape in a string" },
    { text: '["abc', offset: 1, description: "unterminated string" },
    { text: "NaN", offset: 0, description: "expected a value" },
    { text: "'a'", offset: 0, description: "expected a value" },
  ]) {
    test(`${JSON.stringify(text)} has its problem at character ${offset}`, () => {
      assert.deepEqual(scanJson(text), { offset, description });
    });
  }

  for (const { text, duplicate } of [
    { text: '{"a":1,"a":2}', duplicate: "a" },
    { text: '{"items":[{},{"sku":"x","sku":"y"}]}', duplicate: "items[1].sku" },
    { text: '{"m":{"a b":1,"a\\u0020b":2}}', duplicate: 'm["a b"]' },
  ]) {
    test(`${text} has the key ${duplicate} twice`, () => {
      assert.equal(scanJson(text)?.duplicate, duplicate);
    });
  }

  test("is valid exactly if JSON.parse reads it", () => {
    const broken = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom("", "{", "]", ",", '"', "\\", "0", "e", "\u0001", " "))
      .map(([text, at, piece]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + piece + text.slice(place + (at % 2));
      });
    fc.assert(
      fc.property(fc.oneof(fc.json(), broken), (text) => {
        const problem = scanJson(text);
        // A duplicate key is the first problem; the text behind it was not read.
        if (problem?.duplicate === undefined) assert.equal(problem === undefined, parses(text), text);
      }),
      { numRuns: 2000 },
    );
  });

  test("is read as the value that it was written from", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const read = readJson(text);
        // Not compared with JSON.parse, which confuses some keys: nodejs/node#63785.
        assert.equal("value" in read && JSON.stringify(read.value), text);
      }),
      { numRuns: 1000 },
    );
    assert.deepEqual(readJson('[-0, 1e999, {"__proto__": {}}]'), {
      value: [-0, Infinity, JSON.parse('{"__proto__":{}}')],
    });
  });

  test("nested beyond the bound is refused at any depth, without a stack overflow", () => {
    assert.equal(scanJson("[".repeat(maxDepth) + "]".repeat(maxDepth)), undefined);
    assert.match(scanJson("[".repeat(500_000))?.description ?? "", /nested more than/);
    assert.match(scanJson('{"a":'.repeat(500_000))?.description ?? "", /nested more than/);
  });

  test("that is one long string is read", () => {
    assert.equal(scanJson(JSON.stringify('x\\"'.repeat(300_000))), undefined);
  });
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
