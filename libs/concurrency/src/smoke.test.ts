import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel, deadline, deadlineOf, Pool, PoolFullError, Semaphore, select, sleep, taskGroup } from "./index.ts";

test("a pipeline of everything ends", async () => {
  using limit = deadline(5_000);
  const { signal } = limit;
  assert.ok((deadlineOf(signal) ?? 0) > Date.now());
  const channel = new Channel<number>(0);
  const semaphore = new Semaphore(2);
  const got: number[] = [];
  await taskGroup(
    async (group) => {
      await group.start(async () => {
        for (let i = 0; i < 10; i++) {
          using _permit = await semaphore.acquire({ signal });
          await channel.send(i, { signal });
        }
        channel.close();
      });
      await group.start(async () => {
        for await (const value of channel) got.push(value);
      });
    },
    { signal },
  );
  assert.deepEqual(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const answer = await select([channel.onReceive(({ done }) => done), channel.onReceive(() => "x")]);
  assert.ok(answer === true || answer === "x");
  await using pool = new Pool({ concurrency: 1, queue: 0 });
  const first = pool.run(() => sleep(1));
  await assert.rejects(
    pool.run(() => sleep(1)),
    PoolFullError,
  );
  await first;
});
