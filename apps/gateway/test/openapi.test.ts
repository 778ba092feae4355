import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bindingsOf, type OpenApi, type Operation } from "@plumbline/transcoding";
import { shop } from "@plumbline/transcoding/testing";
import { openApiOf } from "../src/docs/openapi.ts";
import { plumbline } from "./support/orders.ts";

const ours = openApiOf(bindingsOf(plumbline), "1.2.3");
const operation = (document: OpenApi, method: string, path: string): Operation =>
  document.paths[path]?.[method] ?? assert.fail(`no ${method} ${path} among ${Object.keys(document.paths).join(" ")}`);

for (const { name, document } of [
  { name: "Plumbline's", document: ours },
  { name: "the shop's", document: openApiOf(bindingsOf(shop), "1.2.3") },
]) {
  describe(`${name} document`, () => {
    test("defines every header and response that it refers to, and no others", () => {
      const { parameters, responses } = document.components;
      const referred = new Set(
        [...JSON.stringify(document).matchAll(/"#\/components\/((?:parameters|responses)\/\w+)"/g)].map(
          ([, name]) => name,
        ),
      );
      const defined = [
        ...Object.keys(parameters).map((name) => `parameters/${name}`),
        ...Object.keys(responses).map((name) => `responses/${name}`),
      ];
      assert.deepEqual([...referred].sort(), defined.sort());
    });

    test("promises problem documents wherever something can fail", () => {
      for (const methods of Object.values(document.paths)) {
        for (const { responses } of Object.values(methods)) {
          for (const status of ["400", "404", "429", "503", "default"]) {
            assert.deepEqual(responses[status], { $ref: "#/components/responses/Problem" });
          }
        }
      }
      const { content } = document.components.responses["Problem"] ?? assert.fail("no Problem");
      assert.deepEqual(content, { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } });
      assert.ok("Problem" in document.components.schemas);
    });
  });
}

test("an operation that streams offers events and lines, and can be resumed", () => {
  const { responses, parameters } = operation(ours, "get", "/v1/orders/{orderId}:watch");
  const [ok] = [responses["200"] as { content: object }];
  assert.deepEqual(Object.keys(ok.content), ["text/event-stream", "application/x-ndjson"]);
  assert.ok(parameters.some((one) => "$ref" in one && one.$ref.endsWith("/LastEventId")));
  assert.ok("204" in responses);
});

test("an operation takes an Idempotency-Key where it changes something", () => {
  const has = (one: Operation): boolean =>
    one.parameters.some((parameter) => "$ref" in parameter && parameter.$ref.endsWith("/IdempotencyKey"));
  assert.ok(has(operation(ours, "post", "/v1/orders")));
  assert.ok(!has(operation(ours, "get", "/v1/orders")));
});
