/**
 * A deadlock ends at its deadline with a TimeoutError, and leaves all locks free and all queues
 * empty.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Channel, deadline, Pool, Semaphore, select, taskGroup } from "../src/index.ts";
import { allEnd, pause, settle } from "./explore.ts";

const timeout = { name: "TimeoutError" };

test("a cycle of rendezvous that each send before they receive ends at its deadline", async () => {
  using limit = deadline(30);
  const ring = Array.from({ length: 3 }, () => new Channel<string>(0));
  const cycle = taskGroup(
    async (group) => {
      for (const [index, inbox] of ring.entries()) {
        const next = ring[(index + 1) % ring.length] as Channel<string>;
        await group.start(async (signal) => {
          await next.send(`from ${index}`, { signal });
          await inbox.receive({ signal });
        });
      }
    },
    { signal: limit.signal },
  );
  await assert.rejects(cycle, timeout);
  for (const channel of ring) assert.equal(channel.tryReceive(), undefined);
});

test("a channel with room for one value breaks that cycle", async () => {
  using limit = deadline(10_000);
  const ring = Array.from({ length: 3 }, () => new Channel<string>(1));
  await taskGroup(
    async (group) => {
      for (const [index, inbox] of ring.entries()) {
        const next = ring[(index + 1) % ring.length] as Channel<string>;
        await group.start(async (signal) => {
          await next.send(`from ${index}`, { signal });
          await inbox.receive({ signal });
        });
      }
    },
    { signal: limit.signal },
  );
});

test("a select of send and receive breaks that cycle", async () => {
  using limit = deadline(10_000);
  const ring = Array.from({ length: 3 }, () => new Channel<string>(0));
  await taskGroup(
    async (group) => {
      for (const [index, inbox] of ring.entries()) {
        const next = ring[(index + 1) % ring.length] as Channel<string>;
        await group.start(async (signal) => {
          const sent = await select([next.onSend(`from ${index}`, () => true), inbox.onReceive(() => false)], {
            signal,
          });
          if (sent) await inbox.receive({ signal });
          else await next.send(`from ${index}`, { signal });
        });
      }
    },
    { signal: limit.signal },
  );
});

test("a receiver of a channel that is never closed ends at its deadline", async () => {
  using limit = deadline(30);
  const channel = new Channel<number>(1);
  await channel.send(1);
  await assert.rejects(Array.fromAsync(channel.values({ signal: limit.signal })), timeout);
});

test("two tasks that take two locks in opposite order end at their deadline, and both locks are free", async () => {
  using limit = deadline(30);
  const [a, b] = [new Semaphore(1), new Semaphore(1)];
  const both = taskGroup(
    async (group) => {
      for (const [first, second] of [[a, b] as const, [b, a] as const]) {
        await group.start(async (signal) => {
          using _first = await first.acquire({ signal });
          await settle();
          using _second = await second.acquire({ signal });
        });
      }
    },
    { signal: limit.signal },
  );
  await assert.rejects(both, timeout);
  assert.deepEqual([a.available, b.available], [1, 1]);
});

test("a task that awaits another in its own full group ends at its deadline", async () => {
  using limit = deadline(30);
  const group = taskGroup((group) => group.start(() => group.start(() => assert.fail("started"))), {
    signal: limit.signal,
    limit: 1,
  });
  await assert.rejects(group, timeout);
});

test("two pools that wait for each other end at their deadline and are idle", async () => {
  using limit = deadline(30);
  const { signal } = limit;
  const [a, b] = [new Pool({ concurrency: 1, queue: 1 }), new Pool({ concurrency: 1, queue: 1 })];
  const cross = (first: Pool, second: Pool): Promise<void> =>
    first.run(() => settle().then(() => second.run(async () => {}, { signal })), { signal });
  const results = await Promise.allSettled([cross(a, b), cross(b, a)]);
  assert.ok(results.some(({ status }) => status === "rejected"));
  assert.deepEqual([a.running, a.queued, b.running, b.queued], [0, 0, 0, 0]);
  await Promise.all([a.close(), b.close()]);
});

/** The dining philosophers: each needs the forks on both sides. */
async function dinner(
  s: fc.Scheduler,
  count: number,
  order: (left: number, right: number) => [number, number],
): Promise<void> {
  const forks = Array.from({ length: count }, () => new Semaphore(1));
  const evening = new AbortController();
  const eat = async (seat: number): Promise<void> => {
    const [first, second] = order(seat, (seat + 1) % count);
    using _one = await forks[first]?.acquire({ signal: evening.signal });
    await pause(s, `${seat} has fork ${first}`);
    using _other = await forks[second]?.acquire({ signal: evening.signal });
    await pause(s, `${seat} eats`);
  };
  const seats = Array.from({ length: count }, (_, seat) => eat(seat));
  try {
    await allEnd(s, seats);
  } finally {
    // Ends every wait, whatever happened.
    evening.abort();
    await Promise.allSettled(seats);
  }
}

test("the explorer finds the schedule in which philosophers starve", async () => {
  const starving = fc.asyncProperty(fc.scheduler(), (s) => dinner(s, 3, (left, right) => [left, right]));
  const found = await fc.check(starving, { numRuns: 1000 });
  assert.ok(found.failed, "the deadlock was not found");
  assert.match(String(found.errorInstance), /wait without end/);
});

test("philosophers who take the lower fork first eat in every schedule", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 5 }), (s, count) =>
      dinner(s, count, (left, right) => [Math.min(left, right), Math.max(left, right)]),
    ),
    { numRuns: 300 },
  );
});
