import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import test from "node:test";
import { testKafka, whyNoKafka } from "@plumbline/tools-engines";

const skip = whyNoKafka() ?? false;

/** Returns the wakes per second of a process with one idle connection, and its standard error. */
async function idle(patched: boolean): Promise<{ perSecond: number; warnings: string }> {
  const program = join(import.meta.dirname, "../../../test/programs/idle-kafkajs.ts");
  const child = fork(program, [await testKafka(), patched ? "patched" : "as-it-comes"], {
    execArgv: ["-C", "source"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let warnings = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (warnings += text));
  const [perSecond] = (await once(child, "message")) as [number];
  await once(child, "close");
  return { perSecond, warnings };
}

test("an idle connection wakes the process about ten times a second and prints no warning (#1556)", {
  skip,
}, async () => {
  const [before, after] = [await idle(false), await idle(true)];
  // Ten are kafkajs's own check of request timeouts, and the rest is the runtime's.
  assert.ok(after.perSecond <= 25, `${after.perSecond} wakes a second`);
  assert.ok(before.perSecond > 10 * after.perSecond, `unpatched ${before.perSecond}, patched ${after.perSecond}`);
  assert.doesNotMatch(after.warnings, /TimeoutNegativeWarning/);
});
