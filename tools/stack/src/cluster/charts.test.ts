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

test("an upgrade has tokens before and after, or neither: its clients go on as they are", () => {
  const today = identityAfter(schema);
  for (const values of [today.before, today.now]) assert.match(values.join(" "), issuer);

  const { properties } = JSON.parse(schema);
  delete properties.networkPolicy.properties.issuer;
  const withoutWay = identityAfter(JSON.stringify({ properties }));
  for (const values of [withoutWay.before, withoutWay.now]) assert.match(values.join(" "), off);

  // It refuses a setting that it does not know.
  delete properties.services.properties.gateway.properties.settings.properties.auth;
  const unknowing = identityAfter(JSON.stringify({ properties }));
  assert.deepEqual(unknowing.before, []);
  assert.match(unknowing.now.join(" "), off);
});
