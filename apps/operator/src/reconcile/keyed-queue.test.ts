import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { eventually } from "@plumbline/tools-engines";
import { KeyedQueue } from "./keyed-queue.ts";

function open(t: TestContext, work: (key: string) => Promise<void>) {
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

  void test("works on four keys at a time, and on one key by one worker", async (t) => {
    const running = new Map<string, number>();
    let most = 0;
    let total = 0;
    let together = 0;
    const { queue } = open(t, async (key) => {
      running.set(key, (running.get(key) ?? 0) + 1);
      together = Math.max(together, running.get(key) ?? 0);
      most = Math.max(most, running.size);
      await new Promise((resolve) => setTimeout(resolve, 10));
      running.delete(key);
      total += 1;
    });
    for (let index = 0; index < 20; index++) queue.add(`key-${index}`);
    await eventually(
      () => {
        for (const key of running.keys()) queue.add(key);
        return total;
      },
      (count) => count >= 60,
    );
    assert.equal(most, 4);
    assert.equal(together, 1);
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
