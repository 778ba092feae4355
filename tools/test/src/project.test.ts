import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

test("colours that are asked for are in the report, and not in what a child of a test prints", () => {
  const folder = mkdtempSync(join(tmpdir(), "project-"));
  try {
    mkdirSync(join(folder, "src"));
    writeFileSync(
      join(folder, "src/a.test.ts"),
      `import { execFileSync } from "node:child_process";
       import assert from "node:assert/strict";
       import test from "node:test";
       test("passes", () => {
         const printed = execFileSync(process.execPath, ["-e", "console.log({ a: 1 })"], { encoding: "utf8" });
         assert.equal(printed, "{ a: 1 }\\n");
       });
       test("is skipped", { skip: "no reason" }, () => {});`,
    );
    const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, "project.ts")], {
      cwd: folder,
      encoding: "utf8",
      // Nx sets it where it runs on a terminal. The runner refuses to run within a test otherwise.
      env: { ...process.env, FORCE_COLOR: "1", NODE_TEST_CONTEXT: undefined },
    });
    assert.equal(status, 0, stdout);
    // oxlint-disable-next-line no-control-regex -- the escape is what is looked for.
    assert.match(stdout, /\u001b\[32m✔ passes/);
    assert.deepEqual(JSON.parse(readFileSync(join(folder, ".test-counts.json"), "utf8")), {
      passed: 1,
      failed: 0,
      skipped: 1,
      skips: ["is skipped: no reason"],
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
