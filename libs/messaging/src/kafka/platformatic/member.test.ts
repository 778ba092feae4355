import assert from "node:assert/strict";
import test from "node:test";
import { type FakeConsumer, fakeMembers } from "../../../test/fake-members.ts";
import type { FetchedBatch, Member } from "../client.ts";

/** Starts a member that takes every batch. */
async function started(): Promise<{
  member: Member;
  consumer: FakeConsumer;
  fetched: FetchedBatch[];
  restarted: number[];
}> {
  const consumers: FakeConsumer[] = [];
  const fetched: FetchedBatch[] = [];
  const restarted: number[] = [];
  const member = fakeMembers.platformatic(
    { topic: "topic", groupId: "topic.g", sessionMs: 1_000, maxFetchBytes: 1_000 },
    {
      contact: () => undefined,
      assigned: () => undefined,
      restarted: (partition) => void restarted.push(partition),
      crashed: () => undefined,
      fetched: (batch) => fetched.push(batch) > 0,
    },
    (made) => consumers.push(made),
  );
  await member.start();
  const [consumer] = consumers;
  assert.ok(consumer);
  return { member, consumer, fetched, restarted };
}

test("no offset is committed between the end of a generation and the next assignment", async () => {
  const { member, consumer } = await started();
  consumer.join(0);
  await member.commit(new Map([[0, 5n]]));
  consumer.beginRebalance();
  await assert.rejects(member.commit(new Map([[0, 6n]])), /rebalance/);
  assert.equal(consumer.committed.get(0), 5n);
  consumer.join(0);
  await member.commit(new Map([[0, 6n]]));
  assert.equal(consumer.committed.get(0), 6n);
  await member.leave();
});

test("the consumer has no retries, which would commit in a generation that it has just joined", async () => {
  const { member, consumer } = await started();
  assert.equal(consumer.retries, 0);
  await member.leave();
});

test("a member continues at its group's position, or at its own if that is further", async () => {
  const { member, consumer, fetched } = await started();
  consumer.committed.set(1, 40n);
  consumer.join(0, 1);
  await consumer.deliver(0, [0, 1, 2]);
  await consumer.deliver(1, [40]);
  consumer.join(0, 1);
  await consumer.deliver(0, [3]); // Fetched before the rebalance, so it is dropped.
  await consumer.deliver(0, [3]);
  await consumer.deliver(1, [41]);
  assert.deepEqual(
    fetched.map(({ partition, records }) => [partition, ...records.map(({ offset }) => Number(offset))]),
    [
      [0, 0, 1, 2],
      [1, 40],
      [0, 3],
      [1, 41],
    ],
  );
  assert.deepEqual(consumer.fetchedFrom, [
    [0, 0n],
    [1, 40n],
    [0, 3n],
    [0, 3n],
    [1, 41n],
  ]);
  await member.leave();
});

test("an answer asked for before another member had the partition is dropped when the partition returns", async () => {
  const { member, consumer, fetched } = await started();
  consumer.join(0);
  await consumer.deliver(0, []);
  consumer.join();
  consumer.committed.set(0, 10n); // The other member's progress.
  consumer.join(0);
  await consumer.deliver(0, [0, 1]);
  await consumer.deliver(0, [10]);
  assert.deepEqual(
    fetched.map(({ records }) => records.map(({ offset }) => Number(offset))),
    [[10]],
  );
  await member.leave();
});

test("a position that its log no longer has is reported, and the log is read from its oldest record", async () => {
  const { member, consumer, fetched, restarted } = await started();
  consumer.committed.set(0, 500n);
  consumer.join(0);
  await consumer.deliver(0, [0, 1], 2);
  assert.deepEqual(restarted, [0]);
  assert.deepEqual(
    fetched.map(({ records }) => records.map(({ offset }) => Number(offset))),
    [[0, 1]],
  );
  await member.leave();
});
