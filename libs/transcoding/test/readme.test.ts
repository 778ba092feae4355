import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as transcoding from "../src/index.ts";

const root = new URL("../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");

test("the smallest complete program of the README runs and prints what its comments say", () => {
  const programs = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, program]) => program ?? "");
  assert.equal(programs.length, 1);
  const flags = ["-C", "source", "--input-type=module-typescript", "-"];
  const [input = ""] = programs;
  const ran = spawnSync(process.execPath, flags, { cwd: root, input, encoding: "utf8", timeout: 30_000 });
  assert.deepEqual([ran.stderr, ran.status], ["", 0]);
  const printed = [...input.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, line]) => `${line}\n`).join("");
  assert.equal(ran.stdout, printed);
  assert.match(printed, /Hello Ada/);
});

test("the README's table names every function and class of the package", () => {
  const values = Object.keys(transcoding).filter((name) => name !== "TemplateError");
  for (const name of values) assert.match(readme, new RegExp(`^\\|.*\`${name}\\b`, "m"), name);
});
