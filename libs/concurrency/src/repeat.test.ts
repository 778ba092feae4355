import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "../test/explore.ts";
import { repeat } from "./repeat.ts";

const options = { everyMs: 100, onFailure: (error: unknown) => assert.fail(String(error)) };

test("the work runs again and again, after a pause of half to one and a half of the time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  for (const [random, pauseMs] of [
    [0, 50],
    [0.5, 100],
    [1, 150],
  ] as const) {
    let runs = 0;
    await using _repeated = repeat(async () => runs++, { ...options, random: () => random });
    for (const expected of [1, 2, 3]) {
      t.mock.timers.tick(pauseMs - 1);
      await settle();
      assert.equal(runs, expected - 1);
      t.mock.timers.tick(1);
      await settle();
      assert.equal(runs, expected);
    }
  }
});

test("a run that fails is reported, and the next one is tried", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const failures: unknown[] = [];
  let runs = 0;
  const work = async (): Promise<void> => {
    if (++runs === 1) throw new Error("no");
  };
  await using _repeated = repeat(work, {
    everyMs: 100,
    onFailure: (error) => failures.push(String(error)),
    random: () => 0.5,
  });
  t.mock.timers.tick(100);
  await settle();
  t.mock.timers.tick(100);
  await settle();
  assert.deepEqual([runs, failures], [2, ["Error: no"]]);
});

test("disposing ends the pause, aborts the run, and reports neither", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await repeat(() => assert.fail("ran"), options)[Symbol.asyncDispose]();

  const started = Promise.withResolvers<void>();
  const work = (signal: AbortSignal): Promise<void> => {
    started.resolve();
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
  };
  const running = repeat(work, { ...options, random: () => 0 });
  t.mock.timers.tick(50);
  await started.promise;
  await running[Symbol.asyncDispose]();
});
