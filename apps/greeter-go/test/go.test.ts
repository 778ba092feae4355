/** Runs Go's own tests of this module. tests/e2e compares it with greeter over the wire. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { test } from "node:test";
import { whyNoGo } from "@plumbline/tools-go";

const folder = resolve(import.meta.dirname, "..");
const why = whyNoGo(folder);

test("go test passes in every package", { skip: why ?? false, timeout: 300_000 }, () => {
  const { status, stdout, stderr } = spawnSync("go", ["test", "./..."], { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /^ok\s/m);
});
