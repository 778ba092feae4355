import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidSparePartError, newSparePart } from "./spare-part.ts";

const now = new Date("2026-01-02T03:04:05.678Z");

test("the longest id and name allowed make a spare part", () => {
  const [id, name] = ["x".repeat(64), "🫖".repeat(100)];
  assert.deepEqual(newSparePart({ id, name }, now), { id, name, createTime: now });
});

for (const { name, id = "a", text = "one", fields } of [
  { name: "an empty id", id: "", fields: ["spare_part_id"] },
  { name: "an id in capitals", id: "A", fields: ["spare_part_id"] },
  { name: "an empty name", text: "", fields: ["name"] },
  { name: "a name of 101 characters", text: "x".repeat(101), fields: ["name"] },
  { name: "a name with U+0000", text: "a\0", fields: ["name"] },
  { name: "everything at once", id: "", text: "", fields: ["spare_part_id", "name"] },
]) {
  test(`${name} is refused with the field named`, () =>
    assert.throws(
      () => newSparePart({ id, name: text }, now),
      (error) => {
        assert.ok(error instanceof InvalidSparePartError);
        assert.deepEqual(
          error.violations.map(({ field }) => field),
          fields,
        );
        return true;
      },
    ));
}
