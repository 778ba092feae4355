/** Checks that the program in the README runs unchanged and prints the right text. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

test("the smallest complete program of the README runs, and ends", () => {
  const root = new URL("../", import.meta.url);
  const readme = readFileSync(new URL("README.md", root), "utf8");
  const [input = "", ...others] = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, program]) => program ?? "");
  assert.equal(others.length, 0);
  const flags = ["-C", "source", "--input-type=module-typescript", "-"];
  const ran = spawnSync(process.execPath, flags, { cwd: root, input, encoding: "utf8", timeout: 30_000 });
  assert.deepEqual([ran.stderr, ran.status, ran.stdout], ["", 0, "you asked for /tea\n"]);
});
