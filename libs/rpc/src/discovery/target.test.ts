import assert from "node:assert/strict";
import { test } from "node:test";
import type { Resolver } from "./resolver.ts";
import { parseTarget } from "./target.ts";

const registry: Resolver = { scheme: "registry", async *watch() {} };

for (const { target, scheme, authority = "", name, identity, host } of [
  { target: "orders:50052", scheme: "dns", name: "orders:50052", identity: "orders:50052", host: "orders" },
  { target: "dns:orders:1", scheme: "dns", name: "orders:1", identity: "orders:1", host: "orders" },
  { target: "dns:///orders:1", scheme: "dns", name: "orders:1", identity: "orders:1", host: "orders" },
  { target: "dns://ns:53/a:1", scheme: "dns", authority: "ns:53", name: "a:1", identity: "a:1", host: "a" },
  {
    target: "dns:///a.svc.local.:1",
    scheme: "dns",
    name: "a.svc.local.:1",
    identity: "a.svc.local:1",
    host: "a.svc.local",
  },
  { target: "dns:///_grpc._tcp.a.b", scheme: "dns", name: "_grpc._tcp.a.b", identity: "a.b", host: "a.b" },
  { target: "[::1]:1", scheme: "dns", name: "[::1]:1", identity: "[::1]:1", host: "::1" },
  {
    target: "ipv4:10.0.0.1:1,10.0.0.2:2",
    scheme: "ipv4",
    name: "10.0.0.1:1,10.0.0.2:2",
    identity: "10.0.0.1:1",
    host: "10.0.0.1",
  },
  { target: "ipv6:[::1]:1", scheme: "ipv6", name: "[::1]:1", identity: "[::1]:1", host: "::1" },
  { target: "registry:///orders", scheme: "registry", name: "orders", identity: "orders", host: "orders" },
  {
    target: "registry://a:8500/orders",
    scheme: "registry",
    authority: "a:8500",
    name: "orders",
    identity: "orders",
    host: "orders",
  },
  {
    target: "registry:///orders.shop:grpc",
    scheme: "registry",
    name: "orders.shop:grpc",
    identity: "orders.shop",
    host: "orders.shop",
  },
  {
    target: "registry:///orders?tag=v2",
    scheme: "registry",
    name: "orders?tag=v2",
    identity: "orders",
    host: "orders",
  },
]) {
  test(`the target ${target} is read`, () => {
    const read = parseTarget(target, [registry]);
    assert.equal(read.resolver.scheme, scheme);
    assert.deepEqual(read.name, { authority, name });
    assert.deepEqual([read.authority, read.host], [identity, host]);
  });
}

for (const target of [
  "",
  "orders",
  "orders:",
  "orders:99999",
  "http://orders:1",
  "::1:50",
  "dns:///orders",
  "dns:///_grpc.a",
]) {
  test(`the target ${JSON.stringify(target)} is rejected, with the expected form`, () =>
    assert.throws(() => parseTarget(target), { code: "invalid_argument", message: /expected "dns/ }));
}

test("a target of a scheme that has no resolver is rejected, with the schemes that have one", () => {
  assert.throws(() => parseTarget("consul:///orders", [registry]), {
    code: "invalid_argument",
    message:
      'invalid target "consul:///orders": expected "dns:///host:port", "ipv4:address:port", "ipv6:[address]:port", ' +
      '"registry:///name" or "host:port"',
  });
});

test("a given resolver replaces the built-in one of its scheme", () => {
  const dns: Resolver = { scheme: "dns", async *watch() {} };
  assert.equal(parseTarget("dns:///orders", [dns]).resolver, dns);
});
