import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readMigrations } from "./read-migrations.ts";

const library = { outbox: { name: "outbox", sql: "create table outbox ()" } };

function read(files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), "migrations-"));
  try {
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    return readMigrations(folder, library);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("files are migrations in the order of their numbers, without the comments at their head", () =>
  assert.deepEqual(
    read({
      "002-idempotency-keys.sql": "\ncreate table idempotency_keys (); -- kept\n",
      "001-orders.sql": "-- One row an order.\n-- Ids sort by time.\ncreate table orders ();\n",
    }),
    [
      { id: 1, name: "orders", sql: "create table orders ();\n" },
      { id: 2, name: "idempotency_keys", sql: "\ncreate table idempotency_keys (); -- kept\n" },
    ],
  ));

test("a file of comments stands for the library's migration of its name", () =>
  assert.deepEqual(read({ "001-outbox.sql": "-- The outbox.\n" }), [{ id: 1, ...library.outbox }]));

for (const { name, files, says } of [
  { name: "a gap", files: { "001-a.sql": "x", "003-b.sql": "x" }, says: /003-b\.sql .*expected 002-NAME\.sql/ },
  { name: "a number twice", files: { "001-a.sql": "x", "001-b.sql": "x" }, says: /001-b\.sql .*expected 002-/ },
  { name: "another name", files: { "orders.sql": "x" }, says: /orders\.sql .*expected 001-/ },
  { name: "an empty file", files: { "001-a.sql": "\n" }, says: /001-a\.sql has no statements.*"a"/ },
  { name: "an inherited name", files: { "001-constructor.sql": "" }, says: /no library has a migration/ },
]) {
  test(`${name} is refused with the file named`, () =>
    assert.throws(() => read(files), {
      code: "failed_precondition",
      message: says,
    }));
}
