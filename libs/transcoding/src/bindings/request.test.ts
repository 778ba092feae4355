import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { isServiceError, type ServiceError } from "@plumbline/errors";
import * as fc from "fast-check";
import { anyJson } from "../../test/support/any-json.ts";
import { plumbline } from "../../test/support/orders.ts";
import { Router } from "../template/router.ts";
import { shop } from "../testing.ts";
import { type Binding, bindingsOf } from "./binding.ts";
import { bindRequest } from "./request.ts";

const router = new Router<Binding>();
for (const binding of bindingsOf(shop)) router.add(binding.httpMethod, binding.template, binding);

/** Binds an HTTP request. Returns the message as JSON without unset fields. */
function bound(request: string, body?: unknown, lastEventId?: string): unknown {
  const [method = "", url = ""] = request.split(" ");
  const [path = "", query = ""] = url.split("?");
  const match = router.match(method, path);
  assert.equal(match.kind, "found", request);
  if (match.kind !== "found") return undefined;
  const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
  const bytes = bindRequest(match.value, { params: match.params, query, body: Buffer.from(text), lastEventId });
  const { input } = match.value.method;
  return toJson(input, fromBinary(input, bytes), { registry: shop });
}

function refused(request: string, body?: unknown): ServiceError {
  try {
    bound(request, body);
  } catch (error) {
    if (isServiceError(error) && error.code === "invalid_argument") return error;
    throw error;
  }
  throw new Error(`${request} was not refused`);
}

describe("a body", () => {
  for (const { name, body, want = body } of [
    { name: "may be empty", body: {} },
    { name: "may have every kind of field", body: everything() },
    {
      name: "may use proto names",
      body: { big_natural: "1", counts_by_name: { a: 1 } },
      want: { bigNatural: "1", countsByName: { a: 1 } },
    },
    {
      name: "may have null for unset fields",
      body: { text: null, inner: null, texts: null, countsByName: null, at: null, size: null },
      want: {},
    },
    {
      name: "may have integers as strings",
      body: { count: "7", counts: ["1", 2] },
      want: { count: 7, counts: [1, 2] },
    },
    {
      name: "may have 64-bit integers as exact numbers",
      body: { big: 9007199254740991 },
      want: { big: "9007199254740991" },
    },
    {
      name: "may have the largest 64-bit integers",
      body: { big: "-9223372036854775808", bigNatural: "18446744073709551615" },
    },
    {
      name: "may have 64-bit integers as large numbers that a double holds exactly",
      body: '{"big":-9223372036854775808,"bigNatural":18446744073709549568}',
      want: { big: "-9223372036854775808", bigNatural: "18446744073709549568" },
    },
    {
      name: "may have integers in exponent notation, also as strings",
      body: '{"count":"1e2","counts":[1e2,"7.00","-1.5E1"],"big":"12e17","bigNatural":"1.0"}',
      want: { count: 100, counts: [100, 7, -15], big: "1200000000000000000", bigNatural: "1" },
    },
    { name: "may have unknown numbers of an open enum", body: { size: 9, sizes: [-1] } },
    {
      name: "may have numbers that round to the largest float",
      body: { smallRatio: 3.4028235e38 },
      want: { smallRatio: 3.4028234663852886e38 },
    },
    {
      name: "may have a message under any type URL, which is kept",
      body: {
        any: { "@type": "example.com/a/google.protobuf.Any", value: { "@type": "x/shop.v1.Inner", name: "a" } },
      },
    },
    {
      name: "may have the path of a field in a mask, or none",
      body: { mask: "a,bC.dE1" },
    },
    { name: "may have enums by known number", body: { size: 1 }, want: { size: "SIZE_SMALL" } },
    { name: "may have NaN and the infinities by name", body: { ratio: "NaN", smallRatio: "-Infinity" } },
    { name: "may have bytes in the URL-safe alphabet", body: { data: "_-8" }, want: { data: "/+8=" } },
    {
      name: "may have a leap day",
      body: { at: "2028-02-29T23:59:59.5+02:00" },
      want: { at: "2028-02-29T21:59:59.500Z" },
    },
    {
      name: "keeps map keys such as __proto__",
      body: { countsByName: JSON.parse('{"__proto__":1,"constructor":2}') },
    },
  ]) {
    test(name, () => assert.deepEqual(bound("POST /v1/echo", body), want));
  }

  for (const { body, field, description } of [
    { body: { nope: 1 }, field: "nope", description: "unknown field" },
    {
      body: { inners: [{}, { amount: "x" }] },
      field: "inners[1].amount",
      description: /^expected an integer from .*, found the string "x"$/,
    },
    { body: { inners: [{}, { nope: 1 }] }, field: "inners[1].nope", description: "unknown field" },
    {
      body: { inner: { deeper: { name: 5 } } },
      field: "inner.deeper.name",
      description: "expected a string, found the number 5",
    },
    { body: { text: true }, field: "text", description: "expected a string, found true" },
    { body: { text: "\ud800" }, field: "text", description: /^expected a string without lone surrogates/ },
    { body: { flag: "true" }, field: "flag", description: 'expected true or false, found the string "true"' },
    { body: { flag: 1 }, field: "flag", description: "expected true or false, found the number 1" },
    {
      body: { count: 1.5 },
      field: "count",
      description: /^expected an integer from -2147483648 to 2147483647, found the number 1.5$/,
    },
    { body: { count: 2147483648 }, field: "count", description: /found the number 2147483648$/ },
    { body: { count: "1 " }, field: "count", description: /found the string "1 "$/ },
    { body: { natural: -1 }, field: "natural", description: /^expected an integer from 0 to 4294967295/ },
    {
      body: '{"big":9007199254740993}',
      field: "big",
      description: /as a string, since a JSON number of this size is not exact/,
    },
    { body: { big: "9223372036854775808" }, field: "big", description: /^expected an integer/ },
    { body: { ratio: "much" }, field: "ratio", description: 'expected a number, found the string "much"' },
    { body: '{"ratio":1e999}', field: "ratio", description: /^expected a number/ },
    { body: { smallRatio: 1e39 }, field: "smallRatio", description: /^expected a number of 32 bits/ },
    { body: { data: "a" }, field: "data", description: 'expected a string in base64, found the string "a"' },
    {
      body: { size: "SMALL" },
      field: "size",
      description: 'expected one of SIZE_UNSPECIFIED, SIZE_SMALL, SIZE_LARGE, found the string "SMALL"',
    },
    { body: { size: 2 ** 31 }, field: "size", description: /^expected one of .*, found the number 2147483648$/ },
    { body: { size: 1.5 }, field: "size", description: /^expected one of .*, found the number 1.5$/ },
    { body: '{"fields":{"a":1e400}}', field: "fields.a", description: /^expected a number that a double can hold/ },
    { body: '{"value":[1,{"a":-1e400}]}', field: "value[1].a", description: /found the number -Infinity$/ },
    {
      body: '{"any":{"@type":"x/google.protobuf.Struct","value":{"a":1e400}}}',
      field: "any.value.a",
      description: /^expected a number that a double can hold/,
    },
    { body: { value: "\ud800" }, field: "value", description: "expected a string without lone surrogates" },
    {
      body: { any: { "@type": "x/shop.v1.Inner", amount: "x" } },
      field: "any.amount",
      description: /^expected an integer/,
    },
    { body: { any: { "@type": "x/shop.v1.Inner", nope: 1 } }, field: "any.nope", description: "unknown field" },
    { body: { any: { "@type": "x/google.protobuf.Duration" } }, field: "any", description: /"@type" and "value"/ },
    { body: { at: "2026-01-31T24:00:00Z" }, field: "at", description: /^expected hours from 00 to 23/ },
    { body: { at: "2026-01-31T23:00:00+24:00" }, field: "at", description: /^expected a time as in RFC 3339/ },
    { body: { mask: "," }, field: "mask", description: /^expected names of fields/ },
    { body: { mask: "a b" }, field: "mask", description: /^expected names of fields/ },
    { body: { mask: "a..b" }, field: "mask", description: /^expected names of fields/ },
    { body: { mask: "a,b,,c" }, field: "mask", description: /^expected names of fields/ },
    { body: { count: "1e400" }, field: "count", description: /^expected an integer/ },
    { body: { big: "1.5" }, field: "big", description: /^expected an integer/ },
    { body: { big: 2 ** 63 }, field: "big", description: /^expected an integer/ },
    { body: { countsByName: { a: null } }, field: "countsByName.a", description: /^expected an integer/ },
    { body: { innersByNumber: { "1e1": {} } }, field: 'innersByNumber["1e1"]', description: /as the key$/ },
    { body: { texts: "a" }, field: "texts", description: 'expected a list, found the string "a"' },
    { body: { texts: [null] }, field: "texts[0]", description: "expected a string, found null" },
    { body: { inner: [] }, field: "inner", description: "expected an object, found a list" },
    { body: { inners: [null] }, field: "inners[0]", description: "expected an object, found null" },
    { body: { countsByName: [] }, field: "countsByName", description: "expected an object, found a list" },
    { body: { countsByName: { "a b": "x" } }, field: 'countsByName["a b"]', description: /^expected an integer/ },
    { body: { innersByNumber: { x: {} } }, field: "innersByNumber.x", description: /as the key$/ },
    {
      body: { at: "yesterday" },
      field: "at",
      description: /^expected a time as in RFC 3339.*, found the string "yesterday"$/,
    },
    { body: { at: "2026-02-30T00:00:00Z" }, field: "at", description: /^expected a day that exists/ },
    { body: { at: 0 }, field: "at", description: /^expected a time as in RFC 3339/ },
    { body: { times: ["2026-01-01T00:00:00Z", "x"] }, field: "times[1]", description: /^expected a time/ },
    { body: { took: "5" }, field: "took", description: /^expected a length of time/ },
    { body: { took: "5sec" }, field: "took", description: /^expected a length of time/ },
    { body: { mask: "a_b" }, field: "mask", description: /^expected names of fields/ },
    { body: { fields: [] }, field: "fields", description: /^expected an object/ },
    { body: { maybeText: 5 }, field: "maybeText", description: "expected a string, found the number 5" },
    { body: { any: { "@type": "x/unknown.Type" } }, field: "any", description: /"@type" names a known message/ },
    {
      body: { big: "1", chosenText: "a", chosenInner: {} },
      field: "chosenInner",
      description: "cannot be combined with chosenText",
    },
    {
      body: { bigNatural: "1", big_natural: "1" },
      field: "big_natural",
      description: "cannot be combined with bigNatural",
    },
    { body: [], field: "", description: "expected an object, found a list" },
    { body: "null", field: "", description: "expected an object, found null" },
    { body: '{"inner":{"name":"a","name":"b"}}', field: "inner.name", description: "appears twice" },
  ]) {
    test(`${(typeof body === "string" ? body : JSON.stringify(body)).slice(0, 60)} is refused at ${field === "" ? "its root" : field}`, () => {
      const { violations, reason } = refused("POST /v1/echo", body);
      assert.equal(reason, "INVALID_REQUEST");
      assert.equal(violations[0]?.field, field);
      if (typeof description === "string") assert.equal(violations[0]?.description, description);
      else assert.match(violations[0]?.description ?? "", description);
    });
  }

  test("with several mistakes is refused with all of them, up to a bound", () => {
    assert.deepEqual(
      refused("POST /v1/echo", { count: "x", nope: 1, flag: 0 }).violations.map(({ field }) => field),
      ["count", "nope", "flag"],
    );
    assert.equal(refused("POST /v1/echo", { counts: Array.from({ length: 10_000 }, () => "x") }).violations.length, 20);
  });

  test("with many unknown fields is refused with the first 20", () => {
    const body = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`unknown${index}`, 1]));
    const fields = refused("POST /v1/echo", body).violations.map(({ field }) => field);
    assert.deepEqual(
      fields,
      Array.from({ length: 20 }, (_, index) => `unknown${index}`),
    );
  });

  test("that is not JSON is refused with line and column", () => {
    const error = refused("POST /v1/echo", '{\n  "text": x\n}');
    assert.equal(error.reason, "MALFORMED_JSON");
    assert.match(error.message, /line 2, column 11: expected a value/);
  });

  test("nested too deeply is refused", () => {
    const body = `${'{"deeper":'.repeat(99)}{}${"}".repeat(99)}`;
    assert.doesNotThrow(() => bound("POST /v1/echo", `{"inner":${body.slice('{"deeper":'.length, -1)}}`));
    assert.match(refused("POST /v1/echo", `{"inner":${body}}`).message, /nested more than 100/);
  });

  // The greatest depths of lists and of objects that have at most 100 messages inside one another.
  for (const { name, wrap, lists, objects } of [
    { name: "fields", wrap: (json: string) => `{"fields":{"a":${json}}}`, lists: 49, objects: 48 },
    { name: "value", wrap: (json: string) => `{"value":${json}}`, lists: 49, objects: 49 },
    {
      name: "any",
      wrap: (json: string) => `{"any":{"@type":"x/google.protobuf.Value","value":${json}}}`,
      lists: 50,
      objects: 49,
    },
  ]) {
    test(`is refused by the path of ${name} if a decoder would find it too deep`, () => {
      const list = (depth: number): string => wrap("[".repeat(depth) + "]".repeat(depth));
      const object = (depth: number): string => wrap(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`);
      for (const [nested, max] of [
        [list, lists],
        [object, objects],
      ] as const) {
        for (let depth = 1; depth < 98; depth++) {
          if (depth <= max) assert.doesNotThrow(() => bound("POST /v1/echo", nested(depth)), `${depth}`);
          else assert.match(refused("POST /v1/echo", nested(depth)).violations[0]?.field ?? "", new RegExp(`^${name}`));
        }
      }
    });
  }

  test("that is one field sets it, beside the path and the query", () => {
    assert.deepEqual(bound("PUT /v1/shelves/a%2Fb/books/c?count=3", { name: "n", amount: "5" }), {
      text: "shelves/a%2Fb/books/c",
      inner: { name: "n", amount: "5" },
      count: 3,
    });
    assert.deepEqual(bound("POST /v1/echo/list", [{ name: "a" }, {}]), { inners: [{ name: "a" }, {}] });
    assert.equal(refused("POST /v1/echo/list", [{}, { name: 1 }]).violations[0]?.field, "inners[1].name");
  });

  test("loses against the path for a field that both set", () => {
    assert.deepEqual(bound("PATCH /v1/echo/path", { inner: { name: "body", amount: "1" } }), {
      inner: { name: "path", amount: "1" },
    });
  });

  test("is refused if the method accepts none", () => {
    assert.match(refused("GET /v1/echo", {}).message, /accepts no body/);
  });
});

describe("a query", () => {
  for (const { query, want } of [
    { query: "", want: {} },
    { query: "text=a+b%20c&flag=true&count=-3&big=12", want: { text: "a b c", flag: true, count: -3, big: "12" } },
    { query: "text=a=b&&text2", want: undefined },
    { query: "big_natural=1&bigNatural=2", want: undefined },
    { query: "bigNatural=18446744073709551615", want: { bigNatural: "18446744073709551615" } },
    { query: "texts=a&texts=&texts=b,c", want: { texts: ["a", "", "b,c"] } },
    {
      query: "sizes=SIZE_SMALL&sizes=2&size=SIZE_LARGE",
      want: { sizes: ["SIZE_SMALL", "SIZE_LARGE"], size: "SIZE_LARGE" },
    },
    { query: "inner.name=a&inner.deeper.amount=5", want: { inner: { name: "a", deeper: { amount: "5" } } } },
    {
      query: "at=2026-01-31T09:30:00%2B01:00&took=1.5s&mask=a,bC",
      want: { at: "2026-01-31T08:30:00Z", took: "1.500s", mask: "a,bC" },
    },
    { query: "times=2026-01-31T09:30:00Z", want: { times: ["2026-01-31T09:30:00Z"] } },
    { query: "maybeText=x&maybeBig=7&optionalText=", want: { maybeText: "x", maybeBig: "7", optionalText: "" } },
    { query: "ratio=1e3&data=aGk%3D", want: { ratio: 1000, data: "aGk=" } },
    { query: "count=&flag=&at=&size=", want: {} },
  ]) {
    test(`?${query} is ${want === undefined ? "refused" : JSON.stringify(want)}`, () => {
      if (want === undefined) refused(`GET /v1/echo?${query}`);
      else assert.deepEqual(bound(`GET /v1/echo?${query}`), want);
    });
  }

  for (const { request, field, description } of [
    { request: "GET /v1/echo?nope=1", field: "nope", description: "unknown parameter" },
    { request: "GET /v1/echo?inner.nope=1", field: "inner.nope", description: "unknown parameter" },
    { request: "GET /v1/echo?__proto__.x=1", field: "__proto__.x", description: "unknown parameter" },
    { request: "GET /v1/echo?text.x=1", field: "text.x", description: "unknown parameter" },
    { request: "GET /v1/echo?inner=1", field: "inner", description: "cannot be set by a parameter" },
    { request: "GET /v1/echo?inners.name=1", field: "inners.name", description: "unknown parameter" },
    { request: "GET /v1/echo?countsByName=1", field: "countsByName", description: "cannot be set by a parameter" },
    { request: "GET /v1/echo?count=1&count=2", field: "count", description: "expected one value, found 2" },
    { request: "GET /v1/echo?count=many", field: "count", description: /found the string "many"$/ },
    { request: "GET /v1/echo?flag=yes", field: "flag", description: 'expected true or false, found the string "yes"' },
    { request: "GET /v1/echo?inner.amount=x", field: "inner.amount", description: /^expected an integer/ },
    {
      request: "POST /v1/echo?text=1",
      field: "text",
      description: "is set by the body and cannot be set by the query",
    },
    {
      request: "PUT /v1/shelves/a/books/b?text=1",
      field: "text",
      description: "is set by the path and cannot be set by the query",
    },
    {
      request: "PUT /v1/shelves/a/books/b?inner.name=1",
      field: "inner.name",
      description: "is set by the body and cannot be set by the query",
    },
  ]) {
    test(`${request} is refused at ${field}`, () => {
      const [violation] = refused(request).violations;
      assert.equal(violation?.field, field);
      if (typeof description === "string") assert.equal(violation?.description, description);
      else assert.match(violation?.description ?? "", description);
    });
  }

  test("with invalid percent-encoding is refused", () => {
    assert.equal(refused("GET /v1/echo?text=%zz").reason, "MALFORMED_QUERY");
  });
});

describe("a path", () => {
  test("sets fields of every single-valued kind", () => {
    assert.deepEqual(bound("REPORT /v1/echo/true/7"), { flag: true, count: 7 });
    assert.equal(refused("REPORT /v1/echo/perhaps/7").violations[0]?.field, "flag");
  });
});

describe("Last-Event-ID", () => {
  test("sets after_version, also if the repeated URL has an older one", () => {
    assert.deepEqual(bound("GET /v1/ticks:watch?afterVersion=3", undefined, "8"), { afterVersion: "8" });
    assert.deepEqual(bound("GET /v1/ticks:watch", undefined, ""), {});
  });
});

function everything(): unknown {
  return {
    text: "ü",
    flag: true,
    count: -1,
    natural: 4294967295,
    big: "-5",
    bigNatural: "5",
    ratio: 0.1,
    smallRatio: 0.5,
    data: "aGk=",
    size: "SIZE_LARGE",
    inner: { name: "a", deeper: { amount: "1" } },
    texts: ["a", ""],
    counts: [0, 1],
    sizes: ["SIZE_SMALL", "SIZE_UNSPECIFIED"],
    inners: [{}, { name: "b" }],
    countsByName: { a: 1 },
    innersByNumber: { "-7": { name: "c" } },
    at: "2026-01-31T09:30:00.000000001Z",
    took: "-1.500s",
    mask: "a,bC.d",
    fields: { a: [1, null, { b: "x" }] },
    value: [true],
    maybeText: "",
    maybeBig: "0",
    optionalText: "",
    chosenInner: { name: "d" },
    any: { "@type": "type.googleapis.com/shop.v1.Inner", name: "e" },
    times: ["2026-01-31T09:30:00Z"],
  };
}

describe("the fast path binds like the general path, mistakes included", () => {
  for (const registry of [shop, plumbline]) {
    for (const binding of bindingsOf(registry)) {
      const { method, template, httpMethod, body } = binding;
      test(`${httpMethod} ${template.text}`, () => {
        const word = fc.constantFrom(
          "",
          "a",
          "Ä b",
          "0",
          "7",
          "-7",
          "007",
          "true",
          "99999999999",
          "9".repeat(20),
          "\ud800",
        );
        const params = fc.record(
          Object.fromEntries(
            template.variables.map(({ field }) => [field, fc.oneof({ weight: 9, arbitrary: word }, fc.string())]),
          ),
        );
        const names = method.input.fields.flatMap((field) => [field.name, field.jsonName]);
        const pair = fc.tuple(fc.constantFrom(...names, "inner.name", "inner.amount", "nope"), word);
        const query = fc.array(pair, { maxLength: 2 }).map((pairs) => String(new URLSearchParams(pairs)));
        const type = typeof body === "object" ? body.message : body === "all" ? method.input : undefined;
        const text = fc
          .oneof(type === undefined ? fc.constant("") : anyJson(type, registry), fc.constant(""))
          .map((json) => (json === "" ? "" : JSON.stringify(json)));
        const lastEventId = fc.constantFrom(undefined, undefined, "7", "x");
        const request = fc.record({ params, query: fc.oneof(fc.constant(""), query), text, lastEventId });
        fc.assert(
          fc.property(request, ({ params, query, text, lastEventId }) => {
            const parts = { params: new Map(Object.entries(params)), query, body: Buffer.from(text), lastEventId };
            const bind = (one: Binding) => outcome(() => bindRequest(one, parts));
            assert.deepEqual(bind(binding), bind({ ...binding, requests: undefined }));
          }),
          { numRuns: 300 },
        );
      });
    }
  }
});

function outcome(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (!isServiceError(error)) throw error;
    return { message: error.message, reason: error.reason, violations: error.violations };
  }
}
