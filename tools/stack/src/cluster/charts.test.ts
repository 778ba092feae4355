import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { chartOf, identityAfter, valuesOf } from "./charts.ts";

const schema = readFileSync(join(chartOf(), "values.schema.json"), "utf8");
const issuer = /issuer-for-tests\.yaml/;
const off = /auth\.off=true/;

test("the services of the tests ask for tokens, and no value turns that off", () => {
  const values = valuesOf("dev").join(" ");
  assert.match(values, issuer);
  assert.doesNotMatch(values, off);
});

test("an upgrade from a gateway without an issuer brings tokens, and services that believe it all the same", () => {
  const today = identityAfter(schema);
  for (const values of [today.before, today.now]) assert.match(values.join(" "), /issuer-for-tests\.yaml$/);

  const { properties } = JSON.parse(schema);
  delete properties.networkPolicy.properties.issuer;
  const withoutWay = identityAfter(JSON.stringify({ properties }));
  assert.match(withoutWay.before.join(" "), off);
  assert.match(withoutWay.now.join(" "), /issuer-for-tests\.yaml --set settings\.rpc\.principalPeers=$/);

  // It refuses a setting that it does not know.
  delete properties.services.properties.gateway.properties.settings.properties.auth;
  const unknowing = identityAfter(JSON.stringify({ properties }));
  assert.deepEqual(unknowing.before, []);
  assert.deepEqual(unknowing.now, withoutWay.now);
});
