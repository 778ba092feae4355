import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { promisify } from "node:util";
import { replaceFolder } from "./replace-folder.ts";

test("a folder takes another's place, and files of the old one are gone", async (t) => {
  const parent = temporary(t);
  folder(join(parent, "target"), { "old.ts": "old", "deep/a.ts": "1" });
  folder(join(parent, "fresh"), { "new.ts": "new", "deep/a.ts": "2" });
  await replaceFolder(join(parent, "target"), join(parent, "fresh"));
  assert.deepEqual(readdirSync(join(parent, "target"), { recursive: true }).toSorted(), [
    "deep",
    join("deep", "a.ts"),
    "new.ts",
  ]);
  assert.equal(readFileSync(join(parent, "target/deep/a.ts"), "utf8"), "2");
});

test("a folder is made where there is none, below a folder that is not there", async (t) => {
  const parent = temporary(t);
  folder(join(parent, "fresh"), { "a.ts": "1" });
  await replaceFolder(join(parent, "src/gen"), join(parent, "fresh"));
  assert.equal(readFileSync(join(parent, "src/gen/a.ts"), "utf8"), "1");
});

test("a folder with the same files is not touched", async (t) => {
  const parent = temporary(t);
  folder(join(parent, "target"), { "deep/a.ts": "1", "b.ts": "2" });
  folder(join(parent, "fresh"), { "deep/a.ts": "1", "b.ts": "2" });
  const before = statSync(join(parent, "target")).ino;
  await replaceFolder(join(parent, "target"), join(parent, "fresh"));
  assert.equal(statSync(join(parent, "target")).ino, before);
});

test("processes that replace one folder at the same time all succeed, and one's files stay", async (t) => {
  const parent = temporary(t);
  const program = `
    import { mkdirSync, writeFileSync } from "node:fs";
    import { replaceFolder } from ${JSON.stringify(join(import.meta.dirname, "replace-folder.ts"))};
    const [parent, name] = process.argv.slice(1);
    for (let round = 0; round < 100; round++) {
      const fresh = parent + "/fresh-" + name;
      mkdirSync(fresh, { recursive: true });
      for (let file = 0; file < 5; file++) writeFileSync(fresh + "/" + file, name + round);
      await replaceFolder(parent + "/target", fresh);
    }`;
  await Promise.all(
    ["a", "b", "c"].map((name) =>
      promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program, parent, name]),
    ),
  );
  const files = readdirSync(join(parent, "target"));
  assert.equal(files.length, 5);
  const contents = files.map((file) => readFileSync(join(parent, "target", file), "utf8"));
  assert.equal(new Set(contents).size, 1, `the files are of several runs: ${contents.join(", ")}`);
});

function temporary(t: TestContext): string {
  const parent = mkdtempSync(join(tmpdir(), "plumbline-replace-"));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  return parent;
}

function folder(path: string, files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(path, name, ".."), { recursive: true });
    writeFileSync(join(path, name), content);
  }
}
