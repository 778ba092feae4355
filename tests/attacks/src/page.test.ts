import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import test from "node:test";
import { attacks, open } from "./list.ts";
import { withTables } from "./page.ts";
import { reproductions } from "./reproductions.ts";

const root = resolve(import.meta.dirname, "../../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

test("docs/security-tests.md is fresh", () => {
  const page = read("docs/security-tests.md");
  assert.equal(page, withTables(page, reproductions), "run: npm run attacks -- --write");
});

for (const { name, tests } of reproductions) {
  test(`${name} is held by tests that exist`, () => {
    assert.ok(tests.length > 0);
    for (const { file, title } of tests) assert.ok(read(file).includes(title), `${file} has no test "${title}"`);
  });
}

test("each attack is named by a reproduction, and each open one is an attack", () => {
  const named = new Set(reproductions.flatMap((one) => one.attacks));
  assert.deepEqual(
    attacks.filter((attack) => !named.has(attack)),
    [],
  );
  const names = attacks.map(({ name }) => name);
  assert.deepEqual(
    Object.keys(open).filter((name) => !names.includes(name)),
    [],
  );
});
