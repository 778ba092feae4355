import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RoutesDocument } from "./document.ts";

const id = "spiffe://example.org/orders";
const tls = { certificate: "envoy", id };
const certificate = { certificateFile: "/run/tls/tls.crt", keyFile: "/run/tls/tls.key", caFile: "/run/tls/ca.crt" };
const to = (name: string) => [{ rules: [{ to: name }] }];

/** Returns a document of a gateway that calls orders through the proxy, with these changes. */
function documentOf({ cluster = {}, listener = {}, certificates = {} }: Readonly<Record<string, object>> = {}) {
  return {
    certificates: { envoy: certificate, ...certificates },
    listeners: {
      calls: { port: 8001, routes: "calls", tls: { certificate: "envoy", callers: [id] }, ...listener },
    },
    clusters: { orders: { endpoints: ["orders:50052"], tls, ...cluster } },
    routes: { calls: to("orders") },
  };
}

function problemsOf(document: unknown): string[] {
  const { error } = RoutesDocument.safeParse(document);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

describe("a document with certificates", () => {
  test("is taken, and one without them is too", () => {
    assert.deepEqual(problemsOf(documentOf()), []);
    const plain = { listeners: {}, clusters: { orders: { endpoints: ["orders:50052"] } }, routes: {} };
    assert.deepEqual(problemsOf(plain), []);
  });

  for (const { name, changes, problem } of [
    {
      name: "an id that is no SPIFFE id",
      changes: { cluster: { tls: { certificate: "envoy", id: "orders" } } },
      problem: /^clusters\.orders\.tls\.id: expected a SPIFFE id, such as spiffe:/,
    },
    {
      name: "two ids in one",
      changes: { cluster: { tls: { certificate: "envoy", id: `${id},${id}` } } },
      problem: /^clusters\.orders\.tls\.id: expected a SPIFFE id/,
    },
    {
      name: "a certificate that is not there",
      changes: { cluster: { tls: { certificate: "other", id } } },
      problem: /^clusters\.orders\.tls\.certificate: expected a key of certificates, not "other"/,
    },
    {
      name: "a listener's certificate that is not there",
      changes: { listener: { tls: { certificate: "other", callers: [id] } } },
      problem: /^listeners\.calls\.tls\.certificate: expected a key of certificates, not "other"/,
    },
    {
      name: "a path of another folder than the proxy's",
      changes: { certificates: { envoy: { ...certificate, keyFile: "tls.key" } } },
      problem: /^certificates\.envoy\.keyFile: expected an absolute path, as the proxy sees it/,
    },
    {
      name: "no authority",
      changes: { certificates: { envoy: { ...certificate, caFile: undefined } } },
      problem: /^certificates\.envoy\.caFile: /,
    },
    {
      name: "a field that is none",
      changes: { cluster: { tls: { certificate: "envoy", id, ids: [id] } } },
      problem: /^clusters\.orders\.tls: .*ids/,
    },
    {
      name: "no callers",
      changes: { listener: { tls: { certificate: "envoy", callers: [] } } },
      problem: /^listeners\.calls\.tls\.callers: /,
    },
    {
      name: "a caller that is no SPIFFE id",
      changes: { listener: { tls: { certificate: "envoy", callers: ["gateway"] } } },
      problem: /^listeners\.calls\.tls\.callers\.0: expected a SPIFFE id/,
    },
    {
      name: "callers of a listener for gRPC clients",
      changes: { listener: { port: undefined } },
      problem: /^listeners\.calls\.tls: expected a port beside it/,
    },
    {
      name: "a listener that lends the proxy's name to anybody",
      changes: { listener: { tls: undefined } },
      problem: /^listeners\.calls\.tls: expected callers, since its routes lead to "orders"/,
    },
  ]) {
    test(`is refused with ${name}`, () => {
      const problems = problemsOf(documentOf(changes));
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.match(problems[0] ?? "", problem);
    });
  }
});
