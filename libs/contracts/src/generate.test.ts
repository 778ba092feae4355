import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../../..");

/** Runs the generator in a copy of the workspace, after `edit` has changed the copy. */
function generate(args: readonly string[], edit: (copy: string) => void = () => {}) {
  const copy = mkdtempSync(join(tmpdir(), "generate-"));
  try {
    for (const path of ["protos", "buf.yaml", "buf.gen.yaml", "libs/contracts/src/generate.ts"]) {
      cpSync(join(root, path), join(copy, path), { recursive: true });
    }
    for (const module of ["proto-sets.ts", "read-bounds.ts"]) {
      cpSync(join(root, "libs/contracts/src", module), join(copy, "libs/contracts/src", module));
    }
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    edit(copy);
    const program = join(copy, "libs/contracts/src/generate.ts");
    const { status, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
    return { status, stderr };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

test("protos of another project without its licence are refused", () => {
  const { status, stderr } = generate(["rpc"], (copy) => rmSync(join(copy, "protos/third_party/grpc/LICENSE")));
  assert.equal(status, 1);
  assert.match(stderr, /protos\/third_party\/grpc has no LICENSE/);
});

for (const folder of globSync("protos/third_party/*/", { cwd: root })) {
  test(`${folder} states licence, source and version`, () => {
    const readme = readFileSync(join(root, folder, "README.md"), "utf8");
    for (const word of [/licen[cs]e/i, /source/i, /version/i]) assert.match(readme, word);
  });
}

test("an unknown set is refused, and the known ones are named", () => {
  const { status, stderr } = generate(["grcp"]);
  assert.equal(status, 2);
  assert.match(stderr, /unknown set grcp: expected contracts, rpc/);
});

test("a set whose protos are gone is an error, not an empty folder", () => {
  const { status, stderr } = generate(["otlp"], (copy) =>
    rmSync(join(copy, "protos/third_party/opentelemetry/opentelemetry"), { recursive: true }),
  );
  assert.equal(status, 1);
  assert.match(stderr, /no protos for otlp/);
});
