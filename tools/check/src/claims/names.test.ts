import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { namesNotFound, readWorkspace } from "./names.ts";

const root = mkdtempSync(join(tmpdir(), "plumbline-names-"));
after(() => rmSync(root, { recursive: true }));
mkdirSync(join(root, "libs/a/src"), { recursive: true });
writeFileSync(
  join(root, "package.json"),
  JSON.stringify({ name: "root", workspaces: ["libs/*"], scripts: { start: "", test: "", demo: "" } }),
);
writeFileSync(
  join(root, "libs/a/package.json"),
  JSON.stringify({ name: "@plumbline/a", scripts: { test: "", fuzz: "" } }),
);
writeFileSync(join(root, "libs/a/src/a.test.ts"), "");
writeFileSync(join(root, "other.md"), "# A title: *here*\n");
const workspace = readWorkspace(root);

for (const { text, want } of [
  { text: "Run `npm run demo`.", want: [] },
  { text: "Run `npm run nosuch`.", want: ["root has no script nosuch"] },
  { text: "```sh\nnpm run nosuch -- --help\n```", want: ["root has no script nosuch"] },
  { text: "Run `npm run fuzz -w libs/a`.", want: [] },
  { text: "Run `npm run fuzz -w libs/b`.", want: ["there is no project libs/b", "there is no libs/b"] },
  { text: "Run `npm test -w libs/a -- src/a.test.ts`.", want: [] },
  { text: "Run `npm test -w libs/a -- src/b.test.ts`.", want: ["libs/a has no src/b.test.ts"] },
  { text: "Run `npm test -- --projects=@plumbline/a,@plumbline/b`.", want: ["there is no project @plumbline/b"] },
  { text: "Run `npx nx test @plumbline/a`.", want: [] },
  { text: "Run `npx nx build @plumbline/a`.", want: ["@plumbline/a has no script build"] },
  { text: "Run `npx nx run @plumbline/b:test`.", want: ["there is no project @plumbline/b"] },
  { text: "See `libs/a/src/a.test.ts` and `libs/a/src`.", want: [] },
  { text: "See `libs/*/src/*.test.ts`.", want: [] },
  { text: "See `libs/NAME/src/a.ts`.", want: [] },
  { text: "See `libs/a/src/b.ts`.", want: ["there is no libs/a/src/b.ts"] },
  { text: "See [other](other.md#a-title-here).", want: [] },
  { text: "See [other](other.md#nosuch).", want: ["other.md has no heading #nosuch"] },
  { text: "See [other](nosuch.md) and [a](https://example.com).", want: ["there is no nosuch.md"] },
]) {
  test(`${want.length === 0 ? "names that exist" : want[0]}: ${text.replaceAll("\n", " ")}`, () =>
    assert.deepEqual(namesNotFound("page.md", text, workspace), want));
}

test("a page of a project may name the project's own scripts", () =>
  assert.deepEqual(namesNotFound("libs/a/README.md", "`npm run fuzz`", workspace), []));
