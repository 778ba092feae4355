import assert from "node:assert/strict";
import test from "node:test";
import { newUuid } from "./uuid.ts";

test("an id is a UUIDv7 of this moment, and no two are the same", () => {
  const before = Date.now();
  const ids = Array.from({ length: 10_000 }, newUuid);
  const after = Date.now();
  for (const id of ids) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const at = Number.parseInt(id.slice(0, 13).replace("-", ""), 16);
    assert.ok(before <= at && at <= after, id);
  }
  assert.equal(new Set(ids).size, ids.length);
  const [variants, tails] = [new Set(ids.map((id) => id[19])), new Set(ids.map((id) => id.slice(24)))];
  assert.equal(variants.size, 4);
  assert.equal(tails.size, ids.length);
});
