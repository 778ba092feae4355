import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseTemplate, TemplateError } from "./parse.ts";

const one = { kind: "one" };
const rest = { kind: "rest" };
const literal = (text: string) => ({ kind: "literal", text });

describe("a template", () => {
  for (const { text, segments, variables = [], verb } of [
    { text: "/v1/orders", segments: [literal("v1"), literal("orders")] },
    { text: "/v1/orders:list", segments: [literal("v1"), literal("orders")], verb: "list" },
    { text: "/v1/*/x", segments: [literal("v1"), one, literal("x")] },
    { text: "/**", segments: [rest] },
    { text: "/a%20b", segments: [literal("a b")] },
    {
      text: "/v1/{order_id}:watch",
      segments: [literal("v1"), one],
      variables: [{ field: "order_id", from: 1, to: 2, spansParts: false }],
      verb: "watch",
    },
    {
      text: "/v1/{order.name=shelves/*/books/*}/pages/{page}",
      segments: [literal("v1"), literal("shelves"), one, literal("books"), one, literal("pages"), one],
      variables: [
        { field: "order.name", from: 1, to: 5, spansParts: true },
        { field: "page", from: 6, to: 7, spansParts: false },
      ],
    },
    {
      text: "/v1/{path=files/**}:read",
      segments: [literal("v1"), literal("files"), rest],
      variables: [{ field: "path", from: 1, to: Number.POSITIVE_INFINITY, spansParts: true }],
      verb: "read",
    },
  ]) {
    test(`${text} is parsed as the grammar says`, () => {
      assert.deepEqual(parseTemplate(text), { text, segments, variables, verb });
    });
  }

  for (const { text, problem } of [
    { text: "", problem: /character 1: expected "\/"/ },
    { text: "v1/orders", problem: /character 1: expected "\/"/ },
    { text: "/", problem: /character 2: expected a literal/ },
    { text: "/v1//orders", problem: /character 5: expected a literal/ },
    { text: "/v1/{}", problem: /character 6: expected a field path/ },
    { text: "/v1/{a", problem: /character 7: expected "}"/ },
    { text: "/v1/{a=}", problem: /character 8: expected a literal/ },
    { text: "/v1/{a={b}}", problem: /a variable cannot hold another one/ },
    { text: "/v1/**/x", problem: /\*\* must be the last part/ },
    { text: "/v1/{a=**}/x", problem: /\*\* must be the last part/ },
    { text: "/v1/{a}/{a}", problem: /the field a is bound twice/ },
    { text: "/v1/a:", problem: /character 7: expected a literal/ },
    { text: "/v1/a:b:c", problem: /unexpected ":"/ },
    { text: "/v1/a%zz", problem: /invalid percent-encoding/ },
    { text: "/v1/{a}b", problem: /unexpected "b"/ },
  ]) {
    test(`${JSON.stringify(text)} is refused with the position of the error`, () => {
      assert.throws(
        () => parseTemplate(text),
        (error: unknown) => error instanceof TemplateError && problem.test(error.message),
      );
    });
  }
});
