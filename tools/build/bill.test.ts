import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { build } from "esbuild";
import { billOf } from "./bill.ts";

const root = mkdtempSync(join(tmpdir(), "plumbline-bill-"));
const folder = join(root, "apps/app");
after(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string | object): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), typeof content === "string" ? content : JSON.stringify(content));
}

const integrity = `sha512-${Buffer.alloc(64, 1).toString("base64")}`;
const lock = (entries: object) => write("package-lock.json", { packages: entries });
const a = (manifest: object) => write("node_modules/a/package.json", { name: "a", version: "2.0.0", ...manifest });

write("package.json", { name: "root", version: "1.0.0", license: "Apache-2.0" });
write("apps/app/package.json", { name: "@our/app", version: "1.0.0" });
write("apps/app/src/main.ts", "import 'a'; import '@b/b'; console.log('app');");
write("node_modules/a/index.js", "import '@b/b'; console.log('a');");
write("node_modules/@b/b/package.json", {
  name: "@b/b",
  version: "3.0.0",
  licenses: [{ type: "MIT" }, { type: "ISC" }],
});
write("node_modules/@b/b/index.js", "console.log('b');");

async function bill() {
  const options = { absWorkingDir: folder, outdir: "dist", bundle: true, metafile: true, write: false } as const;
  const bundle = await build({ ...options, entryPoints: ["src/main.ts"], sourcemap: true });
  return { bundle, bill: billOf(bundle, folder, root) };
}

test("a bill names the packages of the bundle, their hashes and licences, and the files", async () => {
  a({ license: "MIT" });
  lock({ "node_modules/a": { integrity }, "node_modules/@b/b": { integrity } });
  const { bundle, bill: found } = await bill();
  const main = bundle.outputFiles.find(({ path }) => path.endsWith("main.js"))?.contents ?? "";
  const sha512 = [{ alg: "SHA-512", content: "01".repeat(64) }];
  assert.deepEqual(found.metadata.component, {
    "bom-ref": "@our/app@1.0.0",
    type: "application",
    name: "@our/app",
    version: "1.0.0",
    purl: "pkg:npm/%40our/app@1.0.0",
    licenses: [{ license: { id: "Apache-2.0" } }],
    components: [
      {
        type: "file",
        name: "main.js",
        hashes: [{ alg: "SHA-256", content: createHash("sha256").update(main).digest("hex") }],
      },
    ],
  });
  assert.deepEqual(
    found.components.map(({ purl, hashes, licenses }) => ({ purl, hashes, licenses })),
    [
      { purl: "pkg:npm/%40b/b@3.0.0", hashes: sha512, licenses: [{ expression: "MIT OR ISC" }] },
      { purl: "pkg:npm/a@2.0.0", hashes: sha512, licenses: [{ license: { id: "MIT" } }] },
    ],
  );
  assert.deepEqual(found.dependencies, [
    { ref: "@b/b@3.0.0", dependsOn: [] },
    { ref: "@our/app@1.0.0", dependsOn: ["@b/b@3.0.0", "a@2.0.0"] },
    { ref: "a@2.0.0", dependsOn: ["@b/b@3.0.0"] },
  ]);
});

test("the same bundle has the same bill, and another bundle has another serial number", async () => {
  const { bill: first } = await bill();
  assert.deepEqual((await bill()).bill, first);
  assert.match(first.serialNumber, /^urn:uuid:[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/);
  write("apps/app/src/main.ts", "import 'a'; import '@b/b'; console.log('another');");
  assert.notEqual((await bill()).bill.serialNumber, first.serialNumber);
});

test("a package without a licence, or without a hash in the lock file, has no bill", async () => {
  a({});
  await assert.rejects(bill(), { message: "a@2.0.0 names no licence: take another package" });
  a({ license: "MIT" });
  lock({ "node_modules/@b/b": { integrity } });
  await assert.rejects(bill(), { message: "a@2.0.0: package-lock.json has no hash for node_modules/a: npm ci" });
});
