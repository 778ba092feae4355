/** The programs of the README run and print what the README says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");
const programs = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, program]) => program ?? "");

for (const [index, { name, prints }] of [
  { name: "the smallest complete program", prints: "1\n4\n9\n16\n25\n" },
  { name: "the select loop", prints: "doing paint\nnothing to do\n" },
].entries()) {
  test(`${name} of the README runs`, () => {
    const flags = ["-C", "source", "--input-type=module-typescript", "-"];
    const ran = spawnSync(process.execPath, flags, {
      cwd: root,
      input: programs[index] ?? "",
      encoding: "utf8",
      timeout: 30_000,
      env: { ...process.env, FORCE_COLOR: undefined },
    });
    assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, prints, ""]);
  });
}

test("every program of the README is run", () => assert.equal(programs.length, 2));
