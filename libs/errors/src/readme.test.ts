import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../", import.meta.url);

test("the program of the README runs", () => {
  const [, program] = /^```ts\n(.*?)^```$/ms.exec(readFileSync(new URL("README.md", root), "utf8")) ?? [];
  assert.ok(program);
  const flags = ["-C", "source", "--input-type=module-typescript", "-"];
  const ran = spawnSync(process.execPath, flags, { cwd: root, input: program, encoding: "utf8", timeout: 30_000 });
  assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, "not_found\n", ""]);
});
