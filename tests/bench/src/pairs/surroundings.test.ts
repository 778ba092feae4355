import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { watched } from "./surroundings.ts";

const skip = existsSync("/proc/stat") ? false : "it reads proc_stat(5)";

test("a measurement keeps its result, and tells what the machine did", { skip }, async () => {
  const { calls, around } = await watched(async () => ({ calls: 7 }));
  assert.equal(calls, 7);
  assert.ok(around.steal >= 0 && around.steal <= 1, `${around.steal}`);
  assert.ok(around.queue >= 1, `${around.queue}`);
  assert.ok(around.spinMs > 0, `${around.spinMs}`);
});

test("a measurement that fails keeps no timer", { skip }, async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  await assert.rejects(
    watched(() => Promise.reject(new Error("no server"))),
    /no server/,
  );
  assert.equal(timers(), before);
});
