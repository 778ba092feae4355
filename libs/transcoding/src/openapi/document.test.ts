import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { plumbline } from "../../test/support/orders.ts";
import { bindingsOf } from "../bindings/binding.ts";
import { shop } from "../testing.ts";
import { openApi } from "./document.ts";
import type { ApiResponse, Operation, Parameter, Schema } from "./types.ts";

const info = { title: "Test", version: "1.2.3", description: "A document for tests." };
const documents = [
  { name: "Plumbline's", registry: plumbline, document: openApi(bindingsOf(plumbline), { info }) },
  { name: "the shop's", registry: shop, document: openApi(bindingsOf(shop), { info }) },
];
const [{ document: ours }, { document: shops }] = documents as [(typeof documents)[0], (typeof documents)[0]];

/** Yields every object inside a value, with its path. */
function* objects(value: unknown, path = "#"): Generator<[string, Record<string, unknown>]> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield [path, value as Record<string, unknown>];
  for (const [key, inner] of Object.entries(value)) yield* objects(inner, `${path}/${key}`);
}

const operation = (document: typeof ours, method: string, path: string): Operation =>
  document.paths[path]?.[method] ?? assert.fail(`no ${method} ${path} among ${Object.keys(document.paths).join(" ")}`);

for (const { name, registry, document } of documents) {
  describe(`${name} document`, () => {
    test("has an operation with a unique id for every binding whose method OpenAPI knows", () => {
      const ids = Object.values(document.paths).flatMap((methods) =>
        Object.values(methods).map(({ operationId }) => operationId),
      );
      assert.equal(new Set(ids).size, ids.length);
      const expected = bindingsOf(registry).filter(({ httpMethod }) => httpMethod !== "REPORT");
      assert.equal(ids.length, expected.length);
    });

    test("refers only to definitions that exist, and has no unused definitions", () => {
      const referred = new Set<string>();
      for (const [path, object] of objects(document)) {
        const reference = object["$ref"];
        if (reference === undefined) continue;
        assert.equal(typeof reference, "string", path);
        referred.add(String(reference));
        const [root, kind, section, target] = String(reference).split("/");
        assert.deepEqual([root, kind], ["#", "components"], path);
        const components = document.components as unknown as Record<string, Record<string, unknown>>;
        assert.ok(components[section ?? ""]?.[target ?? ""], `${path} refers to ${String(reference)}`);
      }
      for (const schema of Object.keys(document.components.schemas))
        assert.ok(referred.has(`#/components/schemas/${schema}`), schema);
    });

    test("declares exactly the parameters of each path, as required", () => {
      for (const [path, methods] of Object.entries(document.paths)) {
        const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, one]) => one);
        for (const { parameters } of Object.values(methods)) {
          const declared = parameters.filter((one): one is Parameter => "in" in one && one.in === "path");
          assert.deepEqual(
            declared.map((one) => one.name),
            names,
          );
          assert.ok(declared.every(({ required }) => required === true));
        }
      }
    });

    test("has only well-formed schemas", () => {
      const types = ["string", "integer", "number", "boolean", "object", "array", "null"];
      for (const [path, object] of objects(document)) {
        if (!("type" in object) || path.endsWith("/properties")) continue;
        for (const type of [object["type"]].flat()) assert.ok(types.includes(String(type)), `${path}: ${String(type)}`);
        if (object["type"] === "array") assert.ok("items" in object, path);
        if (typeof object["pattern"] === "string")
          assert.doesNotThrow(() => new RegExp(object["pattern"] as string, "u"), path);
      }
    });
  });
}

describe("an operation", () => {
  test("has the summary and description of the proto's comment", () => {
    const { summary, description, tags } = operation(shops, "get", "/v1/echo");
    assert.equal(summary, "Echo answers with its request");
    assert.equal(description, "Echo answers with its request. The second sentence is only in the description.");
    assert.deepEqual(tags, ["shop.v1.Shop"]);
    assert.match(shops.tags[0]?.description ?? "", /^Shop is no service of Plumbline/);
  });

  test("has query parameters for the fields that neither path nor body sets", () => {
    const names = (one: Operation): string[] =>
      one.parameters.flatMap((parameter) => ("in" in parameter && parameter.in === "query" ? [parameter.name] : []));
    assert.deepEqual(names(operation(ours, "get", "/v1/orders")), ["customerId", "pageSize", "pageToken"]);
    assert.deepEqual(names(operation(ours, "post", "/v1/orders")), []);
    const put = names(operation(shops, "put", "/v1/{text}"));
    assert.ok(!put.includes("text") && !put.some((name) => name.startsWith("inner.")));
    assert.ok(put.includes("optionalText") && put.includes("at"));
    assert.ok(names(operation(shops, "get", "/v1/echo")).includes("inner.deeper.amount"));
  });

  test("that answers with bytes has the media types that its comment names", () => {
    const [picture] = [operation(shops, "get", "/v1/pictures/{name}:draw").responses["200"] as { content: object }];
    assert.deepEqual(Object.keys(picture.content), ["image/png", "text/plain"]);
  });

  test("carries the headers, responses and media types that a gateway adds to all of them", () => {
    const reference = { $ref: "#/components/parameters/RequestId" };
    const failure = { description: "It failed." };
    const header = { description: "The id of this request.", schema: { type: "string" } };
    const document = openApi(bindingsOf(plumbline), {
      info,
      components: { parameters: { RequestId: { name: "X-Request-Id", in: "header", schema: { type: "string" } } } },
      parameters: () => [reference],
      responses: ({ streams }) => (streams ? {} : { "504": failure }),
      responseHeaders: { "X-Request-Id": header },
      streamContent: (_binding, message) => ({ "text/event-stream": { schema: message } }),
    });
    const get = operation(document, "get", "/v1/orders/{orderId}");
    assert.deepEqual(get.parameters.at(-1), reference);
    assert.deepEqual(get.responses["504"], failure);
    assert.deepEqual((get.responses["200"] as ApiResponse).headers, { "X-Request-Id": header });
    const watch = operation(document, "get", "/v1/orders/{orderId}:watch");
    assert.deepEqual(Object.keys(watch.responses), ["200"]);
    assert.deepEqual((watch.responses["200"] as ApiResponse).content, {
      "text/event-stream": { schema: { $ref: "#/components/schemas/orders.v1.Order" } },
    });
    assert.deepEqual(Object.keys(document.components.parameters), ["RequestId"]);
  });
});

test("operations state what a request must prove, only if a gateway says so", () => {
  const security = ({ streams }: { readonly streams: boolean }) => (streams ? [{ token: ["a:b"] }] : []);
  const securitySchemes = { token: { type: "http", scheme: "bearer" } } as const;
  const document = openApi(bindingsOf(plumbline), { info, components: { securitySchemes }, security });
  assert.deepEqual(operation(document, "get", "/v1/orders/{orderId}:watch").security, [{ token: ["a:b"] }]);
  assert.deepEqual(operation(document, "get", "/v1/orders/{orderId}").security, []);
  assert.deepEqual(document.components.securitySchemes, securitySchemes);
  assert.ok(!("security" in operation(ours, "get", "/v1/orders/{orderId}")));
  assert.ok(!("securitySchemes" in ours.components));
});

describe("a schema", () => {
  const everything = shops.components.schemas["shop.v1.Everything"];
  const inner = { $ref: "#/components/schemas/shop.v1.Inner" };
  for (const { field, want } of [
    { field: "big", want: { type: "string", format: "int64", pattern: "^-?(0|[1-9][0-9]{0,18})$" } },
    { field: "data", want: { type: "string", contentEncoding: "base64" } },
    { field: "size", want: { $ref: "#/components/schemas/shop.v1.Size" } },
    { field: "inner", want: { anyOf: [inner, { type: "null" }], description: "The inner message." } },
    { field: "inners", want: { type: "array", items: inner } },
    { field: "innersByNumber", want: { type: "object", additionalProperties: inner } },
    { field: "chosenInner", want: inner },
    { field: "at", want: { type: ["string", "null"], format: "date-time" } },
    { field: "times", want: { type: "array", items: { type: "string", format: "date-time" } } },
    { field: "maybeText", want: { type: ["string", "null"] } },
    { field: "value", want: {} },
    {
      field: "smallRatio",
      want: {
        anyOf: [
          { type: "number", format: "float" },
          { type: "string", enum: ["NaN", "Infinity", "-Infinity"] },
        ],
      },
    },
    {
      field: "any",
      want: { type: ["object", "null"], properties: { "@type": { type: "string" } }, additionalProperties: true },
    },
  ] satisfies { field: string; want: Schema }[]) {
    test(`for the field ${field} describes its JSON`, () => assert.deepEqual(everything?.properties?.[field], want));
  }

  test("for an enum describes its values", () => {
    const size = shops.components.schemas["shop.v1.Size"];
    assert.deepEqual(size?.enum, ["SIZE_UNSPECIFIED", "SIZE_SMALL", "SIZE_LARGE"]);
    assert.equal(size?.description, "- `SIZE_SMALL`: Fits a hand.");
  });
});

test("bounds that the protos state are in the schemas and the parameters", () => {
  const schemas = ours.components.schemas;
  const properties = (name: string) => schemas[name]?.properties ?? {};
  assert.deepEqual(properties("orders.v1.OrderItem")["sku"], {
    type: "string",
    minLength: 1,
    maxLength: 64,
    pattern: "^[a-z0-9-]*$",
    description: properties("orders.v1.OrderItem")["sku"]?.description,
  });
  const { minimum, maximum } = properties("orders.v1.OrderItem")["quantity"] ?? {};
  assert.deepEqual({ minimum, maximum }, { minimum: 1, maximum: 1_000 });
  const { minItems, maxItems } = properties("orders.v1.PlaceOrderRequest")["items"] ?? {};
  assert.deepEqual({ minItems, maxItems }, { minItems: 1, maxItems: 100 });
  const pageSize = operation(ours, "get", "/v1/orders").parameters.find(
    (one) => "name" in one && one.name === "pageSize",
  );
  assert.equal(pageSize && "schema" in pageSize && pageSize.schema.maximum, 100);
});
