import assert from "node:assert/strict";
import test from "node:test";
import { smallSpec, wrongResources } from "./resources.ts";

test("there are fifty wrong resources, each with a name and a fault of its own", () => {
  const all = wrongResources("dev");
  assert.equal(all.length, 50);
  assert.equal(new Set(all.map(({ metadata }) => metadata.name)).size, 50);
  assert.equal(new Set(all.map(({ spec }) => JSON.stringify(spec))).size, 50);
  const right = JSON.stringify(smallSpec("dev"));
  assert.ok(all.every(({ spec }) => JSON.stringify(spec) !== right));
});
