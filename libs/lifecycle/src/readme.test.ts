import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import test from "node:test";

const root = new URL("../", import.meta.url);

test("the program of the README serves, drains and ends", async () => {
  const [, program] = /^```ts\n(.*?)^```$/ms.exec(readFileSync(new URL("README.md", root), "utf8")) ?? [];
  const flags = ["-C", "source", "--input-type=module-typescript", "-"];
  const child = spawn(process.execPath, flags, { cwd: root, stdio: ["pipe", "pipe", "inherit"], timeout: 30_000 });
  child.stdin.end(program);
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const port = /listening on (\d+)/.exec(line.toString())?.[1];
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  assert.deepEqual(await response.json(), { status: "SERVING", draining: false, parts: { database: true } });
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
});
