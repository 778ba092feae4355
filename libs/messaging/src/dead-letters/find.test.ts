import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adapters, Engine, FailingGroup, lettersOf, until } from "../../test/failing-group.ts";
import { message } from "../conformance/test-context.ts";
import type { Inspector } from "../inspect/inspector.ts";
import { deadTopic } from "../topics.ts";
import { findDeadLetters } from "./find.ts";

for (const { adapter, skip, connect } of adapters) {
  describe(`finding dead letters on ${adapter}`, { skip }, () => {
    test("a dead letter with forged headers is found among the others, with a date of its own", async () => {
      await using engine = await Engine.open(connect);
      await using group = await FailingGroup.start(engine, []);
      const dead = deadTopic(group.topic, "worker");
      const failure = { "plumbline-topic": group.topic, "plumbline-group": "worker", "plumbline-attempts": "1e308" };
      const forged = ["never", "+275760-09-13T00:00:00.000Z", "2026-11-28T10:00:00Z"].map((text) => {
        return { ...message("ada"), headers: { ...failure, "plumbline-failed-at": text } };
      });
      await engine.broker.publish(dead, forged);
      const { letters, matching } = await findDeadLetters(engine.inspector, lettersOf(group.topic));
      assert.equal(matching, 3);
      assert.deepEqual(
        letters.map(({ failedAt, attempts }) => [failedAt.toISOString(), attempts]),
        [
          ["1970-01-01T00:00:00.000Z", 0],
          ["1970-01-01T00:00:00.000Z", 0],
          ["2026-11-28T10:00:00.000Z", 0],
        ],
      );
    });

    test("a message that a group fails to handle is found with its failure and its own attributes", async () => {
      await using engine = await Engine.open(connect);
      await using group = await FailingGroup.start(engine, []);
      const [failing, handled] = [message("ada"), message("ada")];
      group.failing.add(failing.id);
      await engine.broker.publish(group.topic, [failing, handled]);
      const find = () => findDeadLetters(engine.inspector, lettersOf(group.topic));
      await until(async () => (await find()).matching === 1, "the message is dead-lettered");
      const letter = (await find()).letters[0] ?? assert.fail();
      const { topic, origin, group: name, attempts, code, error, replayed } = letter;
      assert.deepEqual(
        { topic, origin, name, attempts, code, error, replayed },
        {
          topic: `${group.topic}.worker.dead`,
          origin: group.topic,
          name: "worker",
          attempts: 1,
          code: "invalid_argument",
          error: "ServiceError: no such item",
          replayed: false,
        },
      );
      assert.ok(Math.abs(letter.failedAt.getTime() - Date.now()) < 60_000);
      const { id, source, type, key, contentType } = failing;
      assert.partialDeepStrictEqual(letter.message, { id, source, type, key, contentType });
    });

    test("a filter selects by topic, group, type, key, id and time", async () => {
      await using engine = await Engine.open(connect);
      await using group = await FailingGroup.start(engine, []);
      const [first, second] = [message("ada"), { ...message("bob"), type: "conformance.v1.Other" }];
      group.failing.add(first.id).add(second.id);
      await engine.broker.publish(group.topic, [first]);
      const find = async (more: object) =>
        (await findDeadLetters(engine.inspector, lettersOf(group.topic, more))).letters.map(
          (letter) => letter.message.id,
        );
      await until(async () => (await find({})).length === 1, "the first message is dead-lettered");
      await engine.broker.publish(group.topic, [second]);
      await until(async () => (await find({})).length === 2, "the second message is dead-lettered");
      const { letters } = await findDeadLetters(engine.inspector, lettersOf(group.topic));
      const failedAt = letters.map((letter) => letter.failedAt);
      assert.deepEqual(await find({}), [first.id, second.id]);
      assert.deepEqual(await find({ group: "worker" }), [first.id, second.id]);
      assert.deepEqual(await find({ group: "billing" }), []);
      assert.deepEqual(await find({ type: second.type }), [second.id]);
      assert.deepEqual(await find({ key: "ada" }), [first.id]);
      assert.deepEqual(await find({ id: second.id }), [second.id]);
      assert.deepEqual(await find({ since: failedAt[0] }), [first.id, second.id]);
      assert.deepEqual(await find({ since: failedAt[1] }), [second.id]);
      assert.deepEqual(await find({ topic: `${group.topic}.other` }), []);
    });

    test("the limit keeps the oldest failures, and all matches are counted", async () => {
      await using engine = await Engine.open(connect);
      await using group = await FailingGroup.start(engine, []);
      const all = Array.from({ length: 7 }, (_, i) => message(`customer-${i}`));
      const find = (limit: number) => findDeadLetters(engine.inspector, lettersOf(group.topic, { limit }));
      for (const [index, one] of all.entries()) {
        group.failing.add(one.id);
        await engine.broker.publish(group.topic, [one]);
        await until(async () => (await find(100)).matching > index, `message ${index} is dead-lettered`);
      }
      for (const limit of [1, 2, 7]) {
        const { letters, matching } = await find(limit);
        assert.equal(matching, 7);
        assert.deepEqual(
          letters.map((letter) => letter.message.id),
          all.slice(0, limit).map(({ id }) => id),
        );
      }
    });

    test("a topic whose name ends in .dead but holds no failures has no dead letters", async () => {
      await using engine = await Engine.open(connect);
      await using group = await FailingGroup.start(engine, []);
      await engine.broker.publish(`${group.topic}.worker.dead`, [message("ada")]);
      assert.deepEqual(await findDeadLetters(engine.inspector, lettersOf(group.topic)), { letters: [], matching: 0 });
    });
  });
}

test("failures of one moment are found in one order, in whichever order their partitions are read", async () => {
  const topic = "orders.worker.dead";
  const headers = {
    "plumbline-topic": "orders",
    "plumbline-group": "worker",
    "plumbline-failed-at": "2026-11-28T10:00:00Z",
  };
  const places = [0, 1, 2].flatMap((partition) => [0n, 1n].map((offset) => ({ partition, offset })));
  async function found(order: typeof places): Promise<string[]> {
    const inspector: Inspector = {
      topics: async () => [{ name: topic, partitions: 3 }],
      read: async (_topics, visit) => {
        for (const place of order) visit({ topic, ...place, message: { ...message("ada"), headers } });
      },
      lag: async () => [],
      [Symbol.asyncDispose]: async () => {},
    };
    const { letters } = await findDeadLetters(inspector, { limit: 3, replayed: false });
    return letters.map(({ partition, offset }) => `${partition}/${offset}`);
  }
  for (const order of [places, places.toReversed()]) assert.deepEqual(await found(order), ["0/0", "0/1", "1/0"]);
});
