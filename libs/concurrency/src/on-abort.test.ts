import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { onAbort } from "./on-abort.ts";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

test("every callback is called once, in order", () => {
  const controller = new AbortController();
  const called: number[] = [];
  for (const n of [1, 2, 3]) onAbort(controller.signal, () => called.push(n));
  controller.abort();
  controller.abort();
  assert.deepEqual(called, [1, 2, 3]);
});

test("an aborted signal calls the callback at once", () => {
  let called = 0;
  onAbort(AbortSignal.abort(), () => called++);
  assert.equal(called, 1);
});

test("a missing signal never calls the callback", () => {
  using link = onAbort(undefined, () => assert.fail("called"));
  assert.ok(link);
});

test("a disposed callback is not called, and disposing twice does nothing", () => {
  const controller = new AbortController();
  let called = 0;
  const callback = (): void => {
    called++;
  };
  const first = onAbort(controller.signal, callback);
  onAbort(controller.signal, callback);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  controller.abort();
  assert.equal(called, 1);
});

test("a callback can dispose one that has not been called yet", () => {
  const controller = new AbortController();
  onAbort(controller.signal, () => second[Symbol.dispose]());
  const second = onAbort(controller.signal, () => assert.fail("called"));
  controller.abort();
});

test("a signal has one listener for many callbacks, and none after the last is disposed", () => {
  const { signal } = new AbortController();
  const links = Array.from({ length: 10_000 }, () => onAbort(signal, () => {}));
  assert.equal(listeners(signal), 1);
  const last = links.pop();
  for (const link of links) link[Symbol.dispose]();
  assert.equal(listeners(signal), 1);
  last?.[Symbol.dispose]();
  assert.equal(listeners(signal), 0);
});

test("a callback added after all others were disposed is called", () => {
  const controller = new AbortController();
  onAbort(controller.signal, () => assert.fail("called"))[Symbol.dispose]();
  let called = 0;
  onAbort(controller.signal, () => called++);
  controller.abort();
  assert.equal(called, 1);
});

test("the other callbacks are called when one throws", async () => {
  const controller = new AbortController();
  const thrown = new Error("from a callback");
  const uncaught = new Promise((resolve) => {
    // The listener of the test runner would fail this test.
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", (error) => {
      for (const other of others) process.on("uncaughtException", other);
      resolve(error);
    });
  });
  let called = 0;
  onAbort(controller.signal, () => {
    throw thrown;
  });
  onAbort(controller.signal, () => called++);
  controller.abort();
  assert.equal(called, 1);
  assert.equal(await uncaught, thrown);
});
