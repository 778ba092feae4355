import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { codeOf } from "@plumbline/errors";
import * as fc from "fast-check";
import { ReferenceRouter } from "../../test/support/reference-router.ts";
import { parseTemplate } from "./parse.ts";
import { Router } from "./router.ts";

function routerOf(...routes: readonly string[]): Router<string> {
  const router = new Router<string>();
  for (const route of routes) {
    const [method = "", template = ""] = route.split(" ");
    router.add(method, parseTemplate(template), route);
  }
  return router;
}

const router = routerOf(
  "POST /v1/orders",
  "GET /v1/orders",
  "GET /v1/orders/{id}",
  "POST /v1/orders/{id}:cancel",
  "GET /v1/orders/{id}:watch",
  "GET /v1/orders/{id}/label",
  "POST /v1/orders/special",
  "GET /v1/{parent=shelves/*}/books/{book}",
  "GET /v1/files/{path=**}",
  "GET /v1/files/{path=**}:stat",
  "GET /v1/files/public/{name}",
  "DELETE /v1/*/x",
  "* /any/{method}",
  "PUT /v1/caf%C3%A9",
);

describe("a path", () => {
  for (const { request, route, params = {} } of [
    { request: "POST /v1/orders", route: "POST /v1/orders" },
    { request: "GET /v1/orders/7", route: "GET /v1/orders/{id}", params: { id: "7" } },
    { request: "HEAD /v1/orders/7", route: "GET /v1/orders/{id}", params: { id: "7" } },
    { request: "GET /v1/orders/7:watch", route: "GET /v1/orders/{id}:watch", params: { id: "7" } },
    { request: "POST /v1/orders/7:cancel", route: "POST /v1/orders/{id}:cancel", params: { id: "7" } },
    { request: "GET /v1/orders/urn:x:7:watch", route: "GET /v1/orders/{id}:watch", params: { id: "urn:x:7" } },
    { request: "GET /v1/orders/urn:x", route: "GET /v1/orders/{id}", params: { id: "urn:x" } },
    { request: "GET /v1/orders/7%3Awatch", route: "GET /v1/orders/{id}", params: { id: "7:watch" } },
    { request: "GET /v1/orders/a%2Fb%20c+d", route: "GET /v1/orders/{id}", params: { id: "a/b c+d" } },
    { request: "GET /v1/orders/7:", route: "GET /v1/orders/{id}", params: { id: "7:" } },
    { request: "GET /v1/orders/special", route: "GET /v1/orders/{id}", params: { id: "special" } },
    { request: "POST /v1/orders/special", route: "POST /v1/orders/special" },
    { request: "GET /v1/orders/__proto__", route: "GET /v1/orders/{id}", params: { id: "__proto__" } },
    {
      request: "GET /v1/shelves/a%20b%2fc/books/d%2Fe",
      route: "GET /v1/{parent=shelves/*}/books/{book}",
      params: { parent: "shelves/a b%2fc", book: "d/e" },
    },
    { request: "GET /v1/files/a/b/c", route: "GET /v1/files/{path=**}", params: { path: "a/b/c" } },
    { request: "GET /v1/files", route: "GET /v1/files/{path=**}", params: { path: "" } },
    { request: "GET /v1/files/a/b:stat", route: "GET /v1/files/{path=**}:stat", params: { path: "a/b" } },
    { request: "GET /v1/files/a/:stat", route: "GET /v1/files/{path=**}", params: { path: "a/:stat" } },
    { request: "GET /v1/files/public/x", route: "GET /v1/files/public/{name}", params: { name: "x" } },
    { request: "GET /v1/files/public/x/y", route: "GET /v1/files/{path=**}", params: { path: "public/x/y" } },
    { request: "DELETE /v1/orders/x", route: "DELETE /v1/*/x" },
    { request: "PATCH /any/thing", route: "* /any/{method}", params: { method: "thing" } },
    { request: "PUT /v1/caf%c3%a9", route: "PUT /v1/caf%C3%A9" },
  ]) {
    test(`${request} matches ${route}`, () => {
      const [method = "", path = ""] = request.split(" ");
      const match = router.match(method, path);
      assert.equal(match.kind, "found");
      if (match.kind !== "found") return;
      assert.equal(match.value, route);
      assert.deepEqual(Object.fromEntries(match.params), params);
    });
  }

  for (const { request, allow } of [
    { request: "PUT /v1/orders", allow: ["GET", "HEAD", "POST"] },
    { request: "DELETE /v1/orders/7", allow: ["GET", "HEAD"] },
    { request: "GET /v1/orders/7:cancel", allow: ["POST"] },
    { request: "PUT /v1/orders/special", allow: ["GET", "HEAD", "POST"] },
    { request: "GET /v1/caf%C3%A9", allow: ["PUT"] },
  ]) {
    test(`${request} has a wrong method; ${allow.join(", ")} would match`, () => {
      const [method = "", path = ""] = request.split(" ");
      assert.deepEqual(router.match(method, path), { kind: "method", allow });
    });
  }

  for (const request of [
    "GET /",
    "GET /v1",
    "GET /v1/orders/",
    "GET /v1/orders//label",
    "GET //v1/orders",
    "GET /v1/Orders",
    "GET /any/",
  ]) {
    test(`${request} matches nothing`, () => {
      const [method = "", path = ""] = request.split(" ");
      assert.deepEqual(router.match(method, path), { kind: "none" });
    });
  }

  test("with invalid percent-encoding is an invalid argument", () => {
    for (const path of ["/v1/orders/%", "/v1/orders/%zz", "/v1/orders/%ff"]) {
      assert.throws(
        () => router.match("GET", path),
        (error: unknown) => codeOf(error) === "invalid_argument",
      );
    }
  });
});

describe("two templates that match the same paths", () => {
  test("are refused for the same method", () => {
    assert.throws(() => routerOf("GET /v1/{a}", "GET /v1/{b=*}"), /matches the same paths as/);
  });

  test("are accepted under different methods or verbs", () => {
    assert.doesNotThrow(() => routerOf("GET /v1/{a}", "POST /v1/{b}", "GET /v1/{a}:x", "GET /v1/{a}:y"));
  });
});

test("the tree finds the same template as a comparison with each one, for any paths and templates", () => {
  const word = fc.constantFrom("a", "b", "c");
  const segment = fc.oneof(word, word, fc.constant("*"), fc.constantFrom("{x}", "{y=a/*}", "{z=*/b}"));
  const last = fc.oneof(segment, fc.constantFrom("**", "{r=**}", "{s=a/**}"));
  const verb = fc.constantFrom("", "", ":a", ":go");
  const route = fc.record({
    method: fc.constantFrom("GET", "POST", "HEAD", "*"),
    template: fc
      .tuple(fc.array(segment, { maxLength: 2 }), last, verb)
      .map(([parts, end, colon]) => `/${[...parts, end].join("/")}${colon}`),
  });
  const part = fc.oneof(
    word,
    word,
    fc.constantFrom("", "%61", "a%2Fb", "x:a", "b:go", ":", "a:", "%3A", "a%3Ago", "%", "*"),
  );
  const request = fc.record({
    method: fc.constantFrom("GET", "POST", "HEAD", "PUT"),
    path: fc.array(part, { maxLength: 4 }).map((parts) => `/${parts.join("/")}`),
  });
  fc.assert(
    fc.property(
      fc.array(route, { maxLength: 8 }),
      fc.array(request, { minLength: 5, maxLength: 5 }),
      (routes, asked) => {
        const router = new Router<number>();
        const reference = new ReferenceRouter<number>();
        for (const [index, { method, template }] of routes.entries()) {
          try {
            const parsed = parseTemplate(template);
            router.add(method, parsed, index);
            reference.add(method, parsed, index);
          } catch {
            // A field bound twice, or a template that matches the same paths as another.
          }
        }
        for (const { method, path } of asked) {
          assert.deepEqual(
            outcome(() => router.match(method, path)),
            outcome(() => reference.match(method, path)),
          );
        }
      },
    ),
    { numRuns: 2000 },
  );
});

function outcome(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return codeOf(error);
  }
}
