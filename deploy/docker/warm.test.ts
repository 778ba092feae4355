import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const warm = fileURLToPath(new URL("./warm.ts", import.meta.url));

function app(files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-warm-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const [name, code] of Object.entries(files)) writeFileSync(join(folder, name), code);
  const cache = join(folder, "cache");
  return {
    folder,
    cache,
    run: () => spawnSync(process.execPath, [warm, cache, folder], { encoding: "utf8" }),
    files: () => globSync(`${cache}/*/*`),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const ends = "console.log('no settings'); process.exitCode = 1;";
const listens = "import { createServer } from 'node:http'; createServer().listen(0, '127.0.0.1');";

for (const { name, files } of [
  { name: "an app that exits because settings are missing", files: { "main.js": ends } },
  { name: "an app that listens and does not exit", files: { "main.js": listens } },
  { name: "an app with a second program", files: { "main.js": listens, "other-agent.js": listens } },
]) {
  test(`${name} is in the cache, readable for all users`, () => {
    using one = app(files);
    const { status, stderr } = one.run();
    assert.equal(status, 0, stderr);
    assert.equal(one.files().length, Object.keys(files).length);
    for (const file of one.files()) assert.equal(statSync(file).mode & 0o777, 0o644);
  });
}

test("Node accepts the cache", () => {
  using one = app({ "main.js": ends });
  one.run();
  const env = { ...process.env, NODE_COMPILE_CACHE: one.cache, NODE_DEBUG_NATIVE: "COMPILE_CACHE" };
  const { stderr } = spawnSync(process.execPath, [join(one.folder, "main.js")], { encoding: "utf8", env });
  assert.match(stderr, /main\.js was accepted/);
});
