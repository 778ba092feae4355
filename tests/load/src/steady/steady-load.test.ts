import assert from "node:assert/strict";
import test from "node:test";
import { steadyLoad } from "./steady-load.ts";

test("requests are sent at their rate even with slow responses, and the last one is awaited", async () => {
  const stop = new AbortController();
  const answer = Promise.withResolvers<undefined>();
  let started = 0;
  const running = steadyLoad(
    1_000,
    () => {
      if (++started === 50) stop.abort();
      return answer.promise;
    },
    stop.signal,
  );
  let isOver = false;
  void running.then(() => {
    isOver = true;
  });
  while (!stop.signal.aborted) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isOver, false);
  answer.resolve(undefined);
  const result = await running;
  assert.deepEqual([result.sent, result.failed, result.ms.length], [50, 0, 50]);
});

test("a failed request is counted with its reason, and not retried", async () => {
  const stop = new AbortController();
  const sent: number[] = [];
  const result = await steadyLoad(
    1_000,
    async (index) => {
      sent.push(index);
      if (index === 5) stop.abort();
      if (index === 1) throw new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") });
      return index % 3 === 2 ? "GET 503" : undefined;
    },
    stop.signal,
  );
  assert.deepEqual(sent, [0, 1, 2, 3, 4, 5]);
  assert.equal(result.failed, 3);
  assert.equal(result.failures.get("GET 503"), 2);
  assert.match([...result.failures.keys()].join(), /fetch failed.*ECONNREFUSED/);
});
