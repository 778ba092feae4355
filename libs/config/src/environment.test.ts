import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import test from "node:test";

test("only sources/env.ts reads the process's environment", () => {
  const folder = import.meta.dirname;
  const readers = globSync("**/*.ts", { cwd: folder, exclude: ["**/*.test.ts"] }).filter((name) =>
    readFileSync(`${folder}/${name}`, "utf8").includes("process.env"),
  );
  assert.deepEqual(readers, ["sources/env.ts"]);
});
