import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { PoolFullError } from "@plumbline/concurrency";
import { readBarcode } from "../../test/read-barcode.ts";
import { drawLabel } from "./draw-label.ts";
import { LabelThreads, type LabelThreadsOptions } from "./label-threads.ts";

const content = { orderId: "019a0000-0000-7000-8000-000000000001", items: [{ sku: "tea", quantity: 2 }] };
const usual = { threads: 1, queue: 8, timeoutMs: 30_000 };

/** Threads for a test: each runs the next script. Counts the threads that were started. */
function scripted(scripts: readonly string[], options: Partial<LabelThreadsOptions> = {}) {
  const started: Worker[] = [];
  const start = () => {
    const worker = new Worker(`const { parentPort } = require("node:worker_threads"); ${scripts[started.length]}`, {
      eval: true,
    });
    started.push(worker);
    return worker;
  };
  return { started, threads: new LabelThreads({ ...usual, ...options, start }) };
}
const answers = `parentPort.on("message", () => parentPort.postMessage(new Uint8Array([1])));`;
const hangs = `parentPort.on("message", () => { for (;;); });`;

test("a label drawn in a thread equals one drawn in this process", async () => {
  await using threads = new LabelThreads(usual);
  assert.deepEqual(Buffer.from(await threads.draw(content)), Buffer.from(drawLabel(content)));
});

test("concurrent labels each reach their own caller", async () => {
  await using threads = new LabelThreads({ ...usual, threads: 4, queue: 32 });
  const ids = Array.from({ length: 24 }, () => crypto.randomUUID());
  const labels = await Promise.all(ids.map((orderId) => threads.draw({ ...content, orderId })));
  assert.deepEqual(
    labels.map((label) => readBarcode(label, 160)),
    ids,
  );
});

test("drawing leaves the event loop free", async () => {
  await using threads = new LabelThreads({ ...usual, queue: 32 });
  await threads.draw(content); // The start of a thread is work for this event loop too.
  const before = performance.eventLoopUtilization();
  await Promise.all(Array.from({ length: 24 }, () => threads.draw(content)));
  const { utilization } = performance.eventLoopUtilization(before);
  assert.ok(utilization < 0.5, `busy for ${Math.round(utilization * 100)} % of the time`);
});

test("a thread is reused", async () => {
  const { threads, started } = scripted([answers]);
  await using _threads = threads;
  for (let n = 0; n < 3; n++) assert.deepEqual(await threads.draw(content), new Uint8Array([1]));
  assert.equal(started.length, 1);
});

test("there are never more threads than cores", async () => {
  const wanted = availableParallelism() + 3;
  const { threads, started } = scripted(Array(wanted).fill(answers), { threads: wanted, queue: 64 });
  await using _threads = threads;
  await Promise.all(Array.from({ length: 32 }, () => threads.draw(content)));
  assert.equal(started.length, availableParallelism());
});

test("labels beyond the threads and the queue are refused", async () => {
  await using threads = new LabelThreads({ ...usual, queue: 1 });
  const [running, waiting, refused] = await Promise.allSettled([1, 2, 3].map(() => threads.draw(content)));
  assert.deepEqual([running?.status, waiting?.status], ["fulfilled", "fulfilled"]);
  assert.ok(refused?.status === "rejected" && refused.reason instanceof PoolFullError);
});

for (const { name, script, cause } of [
  { name: "throws", script: `parentPort.on("message", () => { throw new Error("bad luck"); });`, cause: /bad luck/ },
  { name: "exits", script: `parentPort.on("message", () => process.exit(3));`, cause: /ended with code 3/ },
  { name: "ends before its first label", script: `process.exit(4);`, cause: /ended with code 4/ },
  {
    name: "exceeds its memory limit",
    script: `parentPort.on("message", () => { const all = []; for (;;) all.push(new Array(1e5).fill(all)); });`,
    cause: /memory limit/,
  },
]) {
  test(`a thread that ${name} fails its own job and is replaced`, async () => {
    const started: Worker[] = [];
    await using threads = new LabelThreads({
      ...usual,
      start: () => {
        const body = started.length === 0 ? script : answers;
        const worker = new Worker(`const { parentPort } = require("node:worker_threads"); ${body}`, {
          eval: true,
          resourceLimits: { maxOldGenerationSizeMb: 32 },
        });
        started.push(worker);
        return worker;
      },
    });
    const [failed, next] = await Promise.allSettled([threads.draw(content), threads.draw(content)]);
    assert.ok(failed?.status === "rejected");
    assert.equal(failed.reason.code, "internal");
    assert.match(String(failed.reason.cause), cause);
    assert.equal(next?.status, "fulfilled");
    assert.equal(started.length, 2);
  });
}

test("a thread that ends while idle is not given a job", async () => {
  const { threads, started } = scripted([answers, answers]);
  await using _threads = threads;
  await threads.draw(content);
  await started[0]?.terminate();
  assert.deepEqual(await threads.draw(content), new Uint8Array([1]));
  assert.equal(started.length, 2);
});

test("a label past its timeout rejects, and its thread is ended and replaced", async () => {
  // The timeout also holds for the second label, so it must allow the start of a thread.
  const { threads, started } = scripted([hangs, answers], { timeoutMs: 1_000 });
  await using _threads = threads;
  await assert.rejects(threads.draw(content), { name: "TimeoutError" });
  assert.equal(started[0]?.threadId, -1, "the thread has ended");
  assert.deepEqual(await threads.draw(content), new Uint8Array([1]));
});

test("cancelling a running label ends its thread, and rejects with the reason", async () => {
  const { threads, started } = scripted([hangs]);
  await using _threads = threads;
  const client = new AbortController();
  const label = threads.draw(content, { signal: client.signal });
  const reason = new Error("not wanted any more");
  client.abort(reason);
  await assert.rejects(label, reason);
  assert.equal(started[0]?.threadId, -1);
});

test("closing waits for accepted labels and refuses new ones", async () => {
  const threads = new LabelThreads(usual);
  const labels = [threads.draw(content), threads.draw(content)];
  const closed = threads[Symbol.asyncDispose]();
  await assert.rejects(threads.draw(content), { code: "unavailable" });
  await closed;
  assert.equal((await Promise.all(labels)).length, 2);
});
