import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { build } from "esbuild";
import { bundledFiles, packagesOf } from "./bundled-packages.ts";

const folder = mkdtempSync(join(tmpdir(), "plumbline-bundle-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, content: string | object): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), typeof content === "string" ? content : JSON.stringify(content));
}

test("each package with a file in the bundle is listed once, with its version", async () => {
  write("package.json", { name: "app", version: "1.0.0" });
  write(
    "main.js",
    "import 'a'; import 'scoped'; import 'linked'; import { nothing } from 'unused'; console.log('app');",
  );
  write("node_modules/a/package.json", { name: "a", version: "2.0.0", main: "index.js" });
  write("node_modules/a/index.js", "import './more.js'; import 'b'; console.log('a');");
  write("node_modules/a/more.js", "console.log('more');");
  write("node_modules/a/node_modules/b/package.json", { name: "b", version: "3.0.0", main: "esm/index.js" });
  // It only states the kind of modules in the folder, and describes no package.
  write("node_modules/a/node_modules/b/esm/package.json", { type: "module" });
  write("node_modules/a/node_modules/b/esm/index.js", "console.log('b');");
  write("node_modules/scoped/package.json", { name: "@owner/scoped", version: "4.0.0", main: "dist/index.js" });
  // A package may have a second manifest with a name.
  write("node_modules/scoped/dist/package.json", { name: "scoped-dist", version: "4.0.0" });
  write("node_modules/scoped/dist/index.js", "console.log('scoped');");
  write("node_modules/unused/package.json", { name: "unused", version: "5.0.0", main: "index.js", sideEffects: false });
  write("node_modules/unused/index.js", "export const nothing = 1;");
  write("libs/linked/package.json", { name: "linked", version: "6.0.0", main: "index.js" });
  write("libs/linked/index.js", "console.log('linked');");
  symlinkSync("../libs/linked", join(folder, "node_modules/linked"));

  const { metafile } = await build({
    absWorkingDir: process.cwd(),
    entryPoints: [join(folder, "main.js")],
    bundle: true,
    write: false,
    metafile: true,
  });
  assert.deepEqual(
    [...packagesOf(bundledFiles(metafile), process.cwd()).keys()],
    ["@owner/scoped@4.0.0", "a@2.0.0", "app@1.0.0", "b@3.0.0", "linked@6.0.0"],
  );
});
