import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { parse } from "yaml";
import { charts } from "../charts.ts";
import { withNote } from "./removal.ts";

interface Definition {
  spec: {
    versions: [{ schema: { openAPIV3Schema: { properties: { spec: { properties: Record<string, object> } } } } }];
  };
}

test("the upgraded definition differs from the chart's by one field of the spec", () => {
  const before = readFileSync(join(charts, "plumbline-operator/files/backendservices.yaml"), "utf8");
  const upgraded = parse(withNote(before)) as Definition;
  const { properties } = upgraded.spec.versions[0].schema.openAPIV3Schema.properties.spec;
  assert.deepEqual(properties["note"], { type: "string", maxLength: 100 });
  delete properties["note"];
  assert.deepEqual(upgraded, parse(before));
  assert.throws(() => withNote("kind: CustomResourceDefinition"), /no place/);
});
