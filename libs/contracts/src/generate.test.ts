import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

const root = join(import.meta.dirname, "../../..");

test("code is generated in a folder whose name has a number sign", () => {
  const parent = mkdtempSync(join(tmpdir(), "plumbline-C# "));
  try {
    const clone = join(parent, "plumbline");
    mkdirSync(clone);
    for (const path of ["protos", "libs/contracts/src", "package.json", ...globSync("buf*.yaml", { cwd: root })]) {
      cpSync(join(root, path), join(clone, path), { recursive: true });
    }
    rmSync(join(clone, "libs/contracts/src/gen"), { recursive: true, force: true });
    symlinkSync(join(root, "node_modules"), join(clone, "node_modules"));
    execFileSync(process.execPath, ["libs/contracts/src/generate.ts", "contracts"], { cwd: clone, stdio: "pipe" });
    assert.ok(existsSync(join(clone, "libs/contracts/src/gen/descriptors.ts")));
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});
