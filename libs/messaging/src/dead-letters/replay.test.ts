import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase } from "@plumbline/tools-engines";
import { adapters, Engine, FailingGroup, lettersOf, until } from "../../test/failing-group.ts";
import type { Publisher } from "../broker.ts";
import { message } from "../conformance/test-context.ts";
import { handleOnce } from "../inbox/handle-once.ts";
import { inboxMigration } from "../inbox/migration.ts";
import { type DeadLetterFilter, findDeadLetters } from "./find.ts";
import { groupLags, sumLags } from "./lag.ts";
import { planReplay, replayDeadLetters } from "./replay.ts";

const inboxes = await testDatabase();
after(async () => await inboxes[Symbol.asyncDispose]());
const database = await openDatabase({ url: inboxes.url, applicationName: "test" }, noTelemetry);
after(async () => await database[Symbol.asyncDispose]());
await migrate(database, [{ id: 1, ...inboxMigration }]);

const traceparent = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;

async function ids(engine: Engine, filter: DeadLetterFilter): Promise<string[]> {
  return (await findDeadLetters(engine.inspector, filter)).letters.map((letter) => letter.message.id);
}

async function replay(
  engine: Engine,
  filter: DeadLetterFilter,
  broker: Parameters<typeof replayDeadLetters>[0] = engine.broker,
) {
  const { letters } = await findDeadLetters(engine.inspector, filter);
  const steps = await planReplay(engine.inspector, letters);
  await replayDeadLetters(broker, engine.inspector, steps);
  return steps;
}

async function lagOf(engine: Engine, topic: string, group: string): Promise<bigint | undefined> {
  return sumLags(await groupLags(engine.inspector, { topic, group }))[0]?.lag;
}

for (const { adapter, skip, connect } of adapters) {
  describe(`replaying dead letters on ${adapter}`, { skip }, () => {
    test("a replayed message goes to its group alone, as it was, and only once", async () => {
      await using engine = await Engine.open(connect);
      await using group = await FailingGroup.start(engine, [50, 60]);
      const { broker } = engine;
      // Left by earlier settings: a message published there would never be handled.
      await broker.createTopics([`${group.topic}.worker.retry.1ms`], { partitions: 1 });
      const audited: string[] = [];
      await using _audit = await broker.subscribe(
        group.topic,
        async (delivery) => void audited.push(delivery.message.id),
        { group: "audit", concurrency: 1 },
      );
      const failing = { ...message("ada"), headers: { traceparent } };
      const other = message("bob");
      group.failing.add(failing.id).add(other.id);
      await broker.publish(group.topic, [failing, other]);
      const all = lettersOf(group.topic);
      await until(async () => (await ids(engine, all)).length === 2, "two messages are dead-lettered");

      group.failing.clear();
      const ada = lettersOf(group.topic, { key: "ada" });
      const [step] = await replay(engine, ada);
      const retry = `${group.topic}.worker.retry.50ms`;
      assert.partialDeepStrictEqual(step, { target: retry, onlyGroup: true });
      await until(() => group.deliveriesOf(failing).length === 2, "the message is delivered again");
      const { topic, message: again } = group.deliveriesOf(failing)[1] ?? assert.fail();
      assert.equal(topic, retry);
      const { data, headers: _, ...attributes } = failing;
      assert.partialDeepStrictEqual(again, attributes);
      assert.deepEqual(Buffer.from(again.data), Buffer.from(data));
      assert.deepEqual(again.headers, {
        traceparent,
        "plumbline-topic": group.topic,
        "plumbline-group": "worker",
      });

      assert.deepEqual(await ids(engine, all), [other.id]);
      assert.equal((await ids(engine, { ...all, replayed: true })).length, 2);
      assert.deepEqual(await replay(engine, ada), [], "nothing is left to replay");
      await until(async () => (await lagOf(engine, retry, "worker")) === 0n, "the retry topic is handled");
      assert.equal(group.deliveriesOf(failing).length, 2);
      await until(() => audited.includes(failing.id), "the other group handles the first publish");
      assert.equal(audited.filter((id) => id === failing.id).length, 1);
    });

    test("a replayed message that fails again is a new dead letter, and its attempts count from one", async () => {
      await using engine = await Engine.open(connect);
      await using group = await FailingGroup.start(engine, [50]);
      const failing = message("ada");
      group.failing.add(failing.id);
      await engine.broker.publish(group.topic, [failing]);
      const filter = lettersOf(group.topic);
      await until(async () => (await ids(engine, filter)).length === 1, "the message is dead-lettered");
      await replay(engine, filter);
      const both = async () => (await ids(engine, { ...filter, replayed: true })).length === 2;
      await until(both, "the message is dead-lettered again");
      const { letters } = await findDeadLetters(engine.inspector, filter);
      assert.deepEqual(
        letters.map((letter) => [letter.message.id, letter.attempts, letter.origin]),
        [[failing.id, 1, group.topic]],
      );
    });

    test("without a retry topic a message returns to its own topic, and the inbox drops a second copy", async () => {
      await using engine = await Engine.open(connect);
      await using group = await FailingGroup.start(engine, []);
      const sent = { ...message("ada"), headers: { traceparent } };
      group.failing.add(sent.id);
      await engine.broker.publish(group.topic, [sent]);
      const filter = lettersOf(group.topic);
      await until(async () => (await ids(engine, filter)).length === 1, "the message is dead-lettered");
      group.failing.clear();
      let effects = 0;
      const effect = async (): Promise<void> => void effects++;
      await handleOnce(database, group.topic, sent, effect);

      const [step] = await replay(engine, filter);
      assert.partialDeepStrictEqual(step, { target: group.topic, onlyGroup: false });
      await until(() => group.deliveriesOf(sent).length === 2, "the message is delivered again");
      const again = group.deliveriesOf(sent)[1]?.message ?? assert.fail();
      assert.deepEqual(again.headers, { traceparent });
      await handleOnce(database, group.topic, again, effect);
      assert.equal(effects, 1);
    });

    test("the limit leaves the later failures for the next replay", async () => {
      await using engine = await Engine.open(connect);
      await using group = await FailingGroup.start(engine, []);
      const all = Array.from({ length: 5 }, (_, i) => message(`customer-${i}`));
      for (const { id } of all) group.failing.add(id);
      await engine.broker.publish(group.topic, all);
      const filter = lettersOf(group.topic);
      await until(async () => (await ids(engine, filter)).length === 5, "five messages are dead-lettered");
      const oldest = (await ids(engine, filter)).slice(0, 3);
      await replay(engine, { ...filter, limit: 3 });
      const total = async () => (await ids(engine, { ...filter, replayed: true })).length;
      await until(async () => (await total()) === 8, "the three replayed messages fail again");
      const replayed = group.deliveries.slice(5).map((delivery) => delivery.message.id);
      assert.deepEqual(replayed.toSorted(), oldest.toSorted());
      assert.equal((await ids(engine, filter)).length, 5);
    });

    test("a message whose publish fails stays a dead letter that can be replayed", async () => {
      await using engine = await Engine.open(connect);
      await using group = await FailingGroup.start(engine, []);
      const failing = message("ada");
      group.failing.add(failing.id);
      await engine.broker.publish(group.topic, [failing]);
      const filter = lettersOf(group.topic);
      await until(async () => (await ids(engine, filter)).length === 1, "the message is dead-lettered");
      const { broker } = engine;
      const publish: Publisher["publish"] = async (topic, messages) => {
        if (topic === group.topic) throw new Error("connection refused");
        await broker.publish(topic, messages);
      };
      const refusing = {
        publish,
        createTopics: broker.createTopics.bind(broker),
        retentionMs: broker.retentionMs.bind(broker),
      };
      await assert.rejects(replay(engine, filter, refusing), /connection refused/);
      await engine.untilReadable([`${group.topic}.worker.dead.replayed`]);
      assert.deepEqual(await ids(engine, filter), [failing.id]);
    });
  });
}
