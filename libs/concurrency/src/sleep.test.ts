import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { settle } from "../test/explore.ts";
import { stateOf } from "../test/helpers.ts";
import { aborted, sleep } from "./sleep.ts";

test("sleep resolves when its time is up, and not before", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asleep = sleep(100);
  t.mock.timers.tick(99);
  assert.equal(await stateOf(asleep), "pending");
  t.mock.timers.tick(1);
  assert.equal(await stateOf(asleep), "resolved");
});

test("an aborted sleep rejects with the reason and leaves neither timer nor listener", async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
  const before = timers();
  const controller = new AbortController();
  const reason = new Error("wake up");
  const asleep = sleep(60_000, { signal: controller.signal });
  assert.equal(timers(), before + 1);
  controller.abort(reason);
  await assert.rejects(asleep, reason);
  assert.equal(timers(), before);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
});

test("a sleep that has ended leaves no listener on its signal", async () => {
  const { signal } = new AbortController();
  await sleep(1, { signal });
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("an aborted signal does not sleep", async () => {
  const reason = new Error("no");
  await assert.rejects(sleep(60_000, { signal: AbortSignal.abort(reason) }), reason);
});

test("a time that is not a number is refused", async () => {
  await assert.rejects(sleep(Number.NaN), RangeError);
});

test("aborted resolves when the signal aborts, at once if it has", async () => {
  const controller = new AbortController();
  const seen = aborted(controller.signal);
  assert.equal(await stateOf(seen), "pending");
  controller.abort();
  await seen;
  await aborted(controller.signal);
  await settle();
});
