import assert from "node:assert/strict";
import { test } from "node:test";
import { UntilOver } from "./until-over.ts";

test("a wait settles as its promise does", async () => {
  const over = new UntilOver();
  assert.equal(await over.wait(Promise.resolve(1)), 1);
  await assert.rejects(over.wait(Promise.reject(new Error("no"))), { message: "no" });
});

test("the end wakes a wait, and later waits end at once", async () => {
  const over = new UntilOver();
  const waiting = over.wait(new Promise(() => {}));
  over.end();
  assert.equal(await waiting, undefined);
  assert.equal(await over.wait(new Promise(() => {})), undefined);
  assert.ok(over.isOver);
});

test("a promise that rejects after the end causes no unhandled rejection", async () => {
  const over = new UntilOver();
  const late = Promise.withResolvers<void>();
  const waiting = over.wait(late.promise);
  over.end();
  await waiting;
  late.reject(new Error("too late to matter"));
  await new Promise((resolve) => setImmediate(resolve));
});
