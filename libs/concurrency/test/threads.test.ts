/** Counters in memory shared by worker threads, where only Atomics make a count exact. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { deadline, Pool, taskGroup } from "../src/index.ts";

async function runThread(file: string, workerData: object, signal: AbortSignal): Promise<void> {
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  try {
    await once(worker, "exit", { signal });
  } finally {
    await worker.terminate();
  }
}

test("threads in a pool never exceed its concurrency, and their shared count is exact", async () => {
  using limit = deadline(60_000);
  await using pool = new Pool({ concurrency: 3, queue: 8 });
  const shared = new SharedArrayBuffer(12);
  await taskGroup(
    async (group) => {
      for (let thread = 0; thread < 8; thread++) {
        await group.start((signal) =>
          pool.run(() => runThread("./counting-thread.ts", { shared, rounds: 50_000 }, signal), { signal }),
        );
      }
    },
    { signal: limit.signal },
  );
  const [sum, running, most] = new Int32Array(shared);
  assert.deepEqual([sum, running], [8 * 50_000, 0]);
  assert.ok((most ?? 0) >= 1 && (most ?? 0) <= 3, `${most} threads ran at once`);
});

for (const { name, atomic, want } of [
  { name: "two threads that read, add and write lose one addition", atomic: false, want: 1 },
  { name: "two threads that add atomically lose no addition", atomic: true, want: 2 },
]) {
  test(name, async () => {
    using limit = deadline(60_000);
    const shared = new SharedArrayBuffer(8);
    const threads = [0, 1].map(() => runThread("./racing-thread.ts", { shared, atomic }, limit.signal));
    await Promise.all(threads);
    assert.equal(new Int32Array(shared)[0], want);
  });
}

test("aborting a task that runs a thread stops the thread and frees the pool", async () => {
  const pool = new Pool({ concurrency: 1, queue: 0 });
  const controller = new AbortController();
  const { signal } = controller;
  // It waits for a second thread that does not exist.
  const run = pool.run(
    () => runThread("./racing-thread.ts", { shared: new SharedArrayBuffer(8), atomic: false }, signal),
    {
      signal,
    },
  );
  controller.abort();
  await assert.rejects(run, { name: "AbortError" });
  assert.equal(pool.running, 0);
});
