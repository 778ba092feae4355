import assert from "node:assert/strict";
import { test } from "node:test";
import { UntilOver } from "./until-over.ts";

test("a wait gives what its promise gives", async () => {
  const over = new UntilOver();
  assert.equal(await over.wait(Promise.resolve(1)), 1);
  await assert.rejects(over.wait(Promise.reject(new Error("no"))), { message: "no" });
});

test("the end wakes whoever waits, and later waits end at once", async () => {
  const over = new UntilOver();
  const waiting = over.wait(new Promise(() => {}));
  over.end();
  assert.equal(await waiting, undefined);
  assert.equal(await over.wait(new Promise(() => {})), undefined);
  assert.ok(over.isOver);
});

test("a promise that fails after the end is nobody's unhandled rejection", async () => {
  const over = new UntilOver();
  const late = Promise.withResolvers<void>();
  const waiting = over.wait(late.promise);
  over.end();
  await waiting;
  late.reject(new Error("too late to matter"));
  await new Promise((resolve) => setImmediate(resolve));
});
