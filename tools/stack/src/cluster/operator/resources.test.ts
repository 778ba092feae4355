import assert from "node:assert/strict";
import test from "node:test";
import { smallSpec, systemOf, wrongResources } from "./resources.ts";

test("there are fifty wrong resources, each with a name and a fault of its own", () => {
  const all = wrongResources("dev");
  assert.equal(all.length, 50);
  assert.equal(new Set(all.map(({ metadata }) => metadata.name)).size, 50);
  assert.equal(new Set(all.map(({ spec }) => JSON.stringify(spec))).size, 50);
  const right = JSON.stringify(smallSpec("dev"));
  assert.ok(all.every(({ spec }) => JSON.stringify(spec) !== right));
});

test("the resources of the system have images of the tag, and name each other", () => {
  const all = systemOf("shop", "t1");
  assert.deepEqual(
    all.map(({ spec }) => spec["image"]),
    ["greeter", "orders", "worker", "gateway"].map((service) => `plumbline/${service}:t1`),
  );
  assert.match(JSON.stringify(all.at(-1)), /dns:\/\/\/orders\.shop\.svc\.cluster\.local:50052/);
  const secrets = all.flatMap(({ spec }) => (spec["secrets"] ?? []) as { secretRef: string; only?: string }[]);
  assert.deepEqual(
    secrets.map(({ secretRef, only }) => `${secretRef} ${only ?? "all"}`),
    [
      "orders-database all",
      "orders-owner-database init",
      "worker-database all",
      "worker-owner-database init",
      "redis all",
      "issuer-authority all",
    ],
  );
});
