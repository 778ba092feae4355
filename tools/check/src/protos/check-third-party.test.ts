import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";
import { checkThirdParty } from "./check-third-party.ts";

const root = resolve(import.meta.dirname, "../../../..");
const grpc = "protos/third_party/grpc";

test("the protos of other projects have a licence, a source and a version", () => {
  assert.deepEqual(checkThirdParty(root), []);
});

for (const { name, change, want } of [
  {
    name: "a folder without a licence is refused",
    change: (folder: string) => rmSync(join(folder, "LICENSE")),
    want: [`${grpc}: no LICENSE: copy the file from the project`],
  },
  {
    name: "an empty licence is refused",
    change: (folder: string) => writeFileSync(join(folder, "LICENSE"), "\n"),
    want: [`${grpc}: LICENSE is empty`],
  },
  {
    name: "a folder without a table of origins is refused",
    change: (folder: string) => writeFileSync(join(folder, "README.md"), "# gRPC\n"),
    want: [`${grpc}: no README.md with a table of files, source and version`],
  },
  {
    name: "an origin without a version is refused",
    change: (folder: string) =>
      writeFileSync(join(folder, "README.md"), "| files | source | version |\n|---|---|---|\n| `grpc` | a | |\n"),
    want: [`${grpc}: README.md has no source or no version for \`grpc\``.replaceAll("`", "")],
  },
  {
    name: "a proto that the table does not name is refused",
    change: (folder: string) => {
      mkdirSync(join(folder, "other"));
      writeFileSync(join(folder, "other/a.proto"), 'syntax = "proto3";\n');
    },
    want: [`${grpc}: README.md does not say where other/a.proto comes from`],
  },
]) {
  test(name, () => {
    const copy = mkdtempSync(join(tmpdir(), "third-party-"));
    try {
      cpSync(join(root, "protos/third_party"), join(copy, "protos/third_party"), { recursive: true });
      assert.ok(readFileSync(join(copy, grpc, "README.md"), "utf8").includes("version"));
      change(join(copy, grpc));
      assert.deepEqual(checkThirdParty(copy), want);
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
}
