import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { root } from "./workshop.ts";

test("the competitors import only files that exist, since no compiler reads them", () => {
  const folder = join(root, "tests/bench/competitors");
  const files = globSync("*.js", { cwd: folder });
  assert.ok(files.length > 5);
  const imports = files.flatMap((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    return [...text.matchAll(/ from "(\.[^"]*)"/g)].map(([, path = ""]) => ({ file, path }));
  });
  assert.deepEqual(
    imports.filter(({ path }) => !existsSync(resolve(folder, path))),
    [],
  );
});
