import assert from "node:assert/strict";
import { test } from "node:test";
import { migrations } from "./migrations.ts";

for (const { name, sql } of migrations) {
  test(`migration ${name} builds no index of a table while it locks out the readers of that table`, () => {
    const altered = [...sql.matchAll(/\balter table (?:only )?(\w+)/gi)].map(([, table]) => table);
    const indexed = [...sql.matchAll(/\bcreate (?:unique )?index .*?\bon (\w+)/gis)].map(([, table]) => table);
    assert.deepEqual(
      indexed.filter((table) => altered.includes(table)),
      [],
      "give the index a migration of its own",
    );
  });
}
