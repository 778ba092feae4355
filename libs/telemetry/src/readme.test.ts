import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";

const root = new URL("../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");

test("the program of the README runs and logs the line shown", () => {
  const [, program] = /^```ts\n(.*?)^```$/ms.exec(readme) ?? [];
  const [, shown] = /^```json\n(.*?)^```$/ms.exec(readme) ?? [];
  assert.ok(program && shown);
  const flags = ["-C", "source", "--input-type=module-typescript", "-"];
  const ran = spawnSync(process.execPath, flags, {
    cwd: root,
    input: program,
    encoding: "utf8",
    timeout: 30_000,
    env: { ...process.env, FORCE_COLOR: undefined },
  });
  assert.deepEqual([ran.status, ran.stderr], [0, "true\n"]);
  assert.deepEqual(withoutMoment(ran.stdout), withoutMoment(shown));
});

function withoutMoment(line: string): object {
  return { ...(JSON.parse(line) as object), time: "", trace_id: "", span_id: "" };
}
