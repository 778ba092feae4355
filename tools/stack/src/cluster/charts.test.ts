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
  assert.deepEqual(today.before, today.now);
  assert.deepEqual(valuesOf("dev", today.now), valuesOf("dev"));
  assert.match(today.now.join(" "), /issuer-for-tests\.yaml --set mtls\.enabled=true/);

  const { properties } = JSON.parse(schema);
  delete properties.mtls;
  const inTheClear = identityAfter(JSON.stringify({ properties }));
  assert.deepEqual(inTheClear.before, inTheClear.now);
  assert.match(inTheClear.now.join(" "), /issuer-for-tests\.yaml$/);

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
