import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { onAbort } from "@plumbline/concurrency";
import { eventually } from "@plumbline/tools-engines";
import { KeyedQueue } from "./keyed-queue.ts";

function open(t: TestContext, work: (key: string, signal: AbortSignal) => Promise<void>) {
  const stop = new AbortController();
  const failures: string[] = [];
  const queue = new KeyedQueue({
    workers: 4,
    backoff: { baseMs: 20, maxMs: 40 },
    work,
    onFailure: (key) => failures.push(key),
  });
  const running = queue.run({ signal: stop.signal });
  t.after(async () => {
    stop.abort();
    await running;
  });
  return { queue, failures };
}

void describe("the queue of keys", { timeout: 60_000 }, () => {
  void test("holds a key once, and works on it again when it was added meanwhile", async (t) => {
    const gate = Promise.withResolvers<void>();
    const done: string[] = [];
    const { queue } = open(t, async (key) => {
      if (done.length === 0) await gate.promise;
      done.push(key);
    });
    queue.add("a");
    await eventually(
      () => queue.size,
      (size) => size === 0,
    );
    for (let index = 0; index < 5; index++) queue.add("a");
    gate.resolve();
    await eventually(
      () => done.length,
      (count) => count === 2,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(done, ["a", "a"]);
  });

  void test("works on four keys at a time", async (t) => {
    let running = 0;
    let most = 0;
    let total = 0;
    const { queue } = open(t, async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 10));
      running -= 1;
      total += 1;
    });
    for (let index = 0; index < 20; index++) queue.add(`key-${index}`);
    await eventually(
      () => total,
      (count) => count === 20,
    );
    assert.equal(most, 4);
  });

  void test("gives a key that is worked on to no second worker, although three are idle", async (t) => {
    const gates: PromiseWithResolvers<void>[] = [];
    let running = 0;
    let together = 0;
    let others = 0;
    const { queue } = open(t, async (key, signal) => {
      if (key !== "a") {
        others += 1;
        return;
      }
      together = Math.max(together, ++running);
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      using _end = onAbort(signal, () => gate.resolve());
      await gate.promise;
      running -= 1;
    });
    for (let round = 1; round <= 5; round++) {
      queue.add("a");
      // An idle worker takes what waits before it takes another key, so each of these lets it.
      for (let other = 1; other <= 4; other++) queue.add(`other-${other}`);
      await eventually(
        () => others,
        (count) => count === round * 4,
      );
      assert.equal(gates.length, 1);
    }
    for (let ended = 1; ended <= 2; ended++) {
      await eventually(
        () => gates.length,
        (count) => count === ended,
      );
      gates[ended - 1]?.resolve();
    }
    await eventually(
      () => running,
      (count) => count === 0,
    );
    assert.equal(together, 1);
    assert.equal(gates.length, 2);
  });

  void test("works on a key again after the time that its work has asked for", async (t) => {
    const done: string[] = [];
    const { queue } = open(t, async (key) => {
      done.push(key);
      if (done.length === 1) queue.addAfter(key, 10);
    });
    queue.add("a");
    await eventually(
      () => done.length,
      (count) => count === 2,
    );
  });

  void test("repeats a key that failed, and goes on with the others", async (t) => {
    const done: string[] = [];
    let left = 3;
    const { queue, failures } = open(t, async (key) => {
      if (key === "bad" && left-- > 0) throw new Error("not yet");
      done.push(key);
    });
    queue.add("bad");
    queue.add("good");
    await eventually(
      () => done.length,
      (count) => count === 2,
    );
    assert.deepEqual(done, ["good", "bad"]);
    assert.deepEqual(failures, ["bad", "bad", "bad"]);
  });
});
