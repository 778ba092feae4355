import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import test from "node:test";
import { notDone } from "./folders.ts";

const root = join(import.meta.dirname, "../../../..");
const prose = (...args: string[]) =>
  spawnSync(process.execPath, ["-C", "source", join(import.meta.dirname, "main.ts"), ...args], {
    cwd: root,
    encoding: "utf8",
  });

test("a folder with a finding fails, and the finding has its file and line", () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "a.md"), "Fine.\n\nIt lasts for ever.\n");
  const { status, stderr } = prose(folder.path);
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(`^${relative(root, folder.path)}/a.md:3: banned phrase "for ever"`));
});

test("a clean folder passes", () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "a.md"), "Fine.\n");
  assert.deepEqual([prose(folder.path).status, prose(folder.path).stdout], [0, "prose: 1 files are clean\n"]);
});

test("counts are printed by folder and do not fail", () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "a.md"), "It lasts for ever.\n");
  const { status, stdout } = prose("--count", folder.path);
  assert.equal(status, 0);
  assert.match(stdout, /^ +1 {2}tools\/check/);
});

test("an unknown option and an unknown folder are wrong usage", () => {
  assert.equal(prose("--nosuch").status, 2);
  assert.equal(prose("no/such/folder").status, 2);
  assert.match(prose("--help").stdout, /npm run prose/);
});

test("a folder is listed once as not done", () => assert.deepEqual([...new Set(notDone)], notDone));

function temporaryFolder() {
  const path = mkdtempSync(join(import.meta.dirname, "prose-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
