import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";
import { promisify } from "node:util";
import { testConsul, whyNoConsul } from "@plumbline/tools-engines";

const root = new URL("../", import.meta.url);

test("the first program of the README prints each value", { skip: whyNoConsul() ?? false }, async () => {
  await using engine = await testConsul();
  const [, program = ""] = /^```ts\n(.*?)^```$/ms.exec(readFileSync(new URL("README.md", root), "utf8")) ?? [];
  const own = program
    .replace("http://127.0.0.1:8500", engine.url)
    .replace("plumbline/config/orders.yaml", `test/${randomUUID()}`);
  const running = promisify(execFile)(
    process.execPath,
    ["-C", "source", "--input-type=module-typescript", "--eval", own],
    { cwd: root, timeout: 20_000, env: { ...process.env, FORCE_COLOR: undefined } },
  );
  const { stdout, stderr } = await running;
  assert.equal(stdout, "logLevel: debug\nlogLevel: debug\nlogLevel: info\n");
  assert.equal(stderr, "");
});
