import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSparePart } from "./describe-spare-part.ts";

test("a spare part is described by its id", () =>
  assert.deepEqual(describeSparePart("7"), { id: "7", name: "spare part 7" }));

for (const { name, id } of [
  { name: "an empty id", id: "" },
  { name: "an id of 65 characters", id: "x".repeat(65) },
  { name: "an id in capitals", id: "X" },
]) {
  test(`${name} is refused`, () =>
    assert.throws(() => describeSparePart(id), {
      code: "invalid_argument",
      violations: [{ field: "spare_part_id", description: 'must be 1 to 64 of a-z, 0-9 and "-"' }],
    }));
}
