import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { OrderPlaced } from "@plumbline/contracts";
import { ServiceError } from "@plumbline/errors";
import {
  type Broker,
  connectBroker,
  handleOnce,
  inboxMigration,
  type Message,
  retryAndDeadLetterTopics,
  subscribeWithRetries,
} from "@plumbline/messaging";
import { openInspector } from "@plumbline/messaging/inspect";
import { migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase, testKafka, whyNoKafka } from "@plumbline/tools-engines";
import { call, eventually, placed, unique } from "../test/operator.ts";

const engine = await testDatabase();
after(async () => await engine[Symbol.asyncDispose]());
const inboxes = await testDatabase();
after(async () => await inboxes[Symbol.asyncDispose]());
const database = await openDatabase({ url: inboxes.url, applicationName: "test" }, noTelemetry);
after(async () => await database[Symbol.asyncDispose]());
await migrate(database, [{ id: 1, ...inboxMigration }]);

const adapters = [
  { adapter: "postgres" as const, skip: undefined, flags: async () => ["--url", engine.url] },
  { adapter: "kafka" as const, skip: whyNoKafka(), flags: async () => ["--brokers", await testKafka()] },
];

for (const { adapter, skip, flags } of adapters) {
  const open = async (): Promise<Broker> => {
    const [, value = ""] = await flags();
    const kafka = { brokers: value.split(","), clientId: "test", sessionMs: 6_000 };
    return await connectBroker({ adapter, postgres: { url: value }, kafka }, noTelemetry);
  };
  const ask = async (...args: string[]) => await call([...args, "--adapter", adapter, ...(await flags())]);
  const json = async <T>(...args: string[]) => {
    const { code, out, err } = await ask(...args, "--json");
    assert.equal(code, 0, err);
    return JSON.parse(out) as T;
  };
  const listed = async (topic: string, ...more: string[]) =>
    (
      await json<{ deadLetters: { message: { id: string } }[] }>("dlq", "list", "--topic", topic, ...more)
    ).deadLetters.map(({ message }) => message.id);

  /** Topics whose leaders answer. Where one does not yet, Kafka stores a batch in part and the repeat stores that part twice. */
  const create = async (broker: Broker, topics: readonly string[]): Promise<void> => {
    await broker.createTopics(topics, { partitions: 3 });
    const [, value = ""] = await flags();
    const connection = adapter === "kafka" ? { adapter, brokers: value.split(",") } : { adapter, url: value };
    await using inspector = await openInspector(connection, noTelemetry);
    const answers = async () =>
      await inspector
        .read(topics, () => undefined)
        .then(
          () => true,
          () => false,
        );
    await eventually(answers, "the topics");
  };

  /** A topic whose group "worker" gives up what `broken` names, and notes what it handles in its inbox. */
  const setUp = async (delaysMs: readonly number[]) => {
    await using stack = new AsyncDisposableStack();
    const broker = stack.use(await open());
    const topic = unique("orders.events");
    await create(broker, [topic, ...retryAndDeadLetterTopics(topic, "worker", delaysMs)]);
    const broken = new Set<string>();
    const deliveries: { topic: string; message: Message }[] = [];
    const effects: string[] = [];
    stack.use(
      await subscribeWithRetries(
        broker,
        topic,
        async (delivery) => {
          deliveries.push(delivery);
          if (broken.has(delivery.message.id)) throw new ServiceError("invalid_argument", "cannot be\u001b[31m meant");
          await handleOnce(database, topic, delivery.message, async () => void effects.push(delivery.message.id));
        },
        noTelemetry,
        { group: "worker", concurrency: 4, retries: { attempts: 1, baseMs: 1, maxMs: 1 }, retryDelaysMs: delaysMs },
      ),
    );
    const moved = stack.move();
    return { broker, topic, broken, deliveries, effects, [Symbol.asyncDispose]: () => moved.disposeAsync() };
  };

  describe(`dead letters on ${adapter}`, { skip: skip ?? false }, () => {
    test("one is listed and shown, replayed once to its group alone with its id kept, and never sent again", async () => {
      await using world = await setUp([50]);
      const { broker, topic, broken, deliveries, effects } = world;
      // Left by other settings: a message sent there would wait for ever.
      await broker.createTopics([`${topic}.worker.retry.1ms`], { partitions: 1 });
      const [bad, other, good] = [placed("ada"), placed("bob"), placed("ada")];
      broken.add(bad.id).add(other.id);
      const audited: string[] = [];
      await using _ = await broker.subscribe(
        topic,
        async ({ message }) => {
          audited.push(message.id);
        },
        { group: "audit", concurrency: 1 },
      );
      await broker.publish(topic, [bad, other, good]);
      await eventually(async () => (await listed(topic)).length === 2, "two dead letters");

      const table = await ask("dlq", "list", "--topic", topic, "--group", "worker", "--key", "ada");
      assert.ok(table.out.includes(bad.id) && !table.out.includes(other.id) && !table.out.includes(good.id), table.out);
      assert.ok(!table.out.includes("\u001b"), "control characters of an error do not reach the terminal");
      const shown = await ask("dlq", "show", bad.id);
      assert.match(shown.out, /"customerId":"ada"/);
      assert.match(shown.out, /invalid_argument/);
      assert.match(shown.out, new RegExp(`traceparent +${bad.headers["traceparent"]}`));
      const dry = await ask("dlq", "replay", "--topic", topic, "--id", bad.id, "--dry-run");
      assert.match(dry.out, new RegExp(`would replay 1 to ${topic}.worker.retry.50ms`));
      assert.equal((await listed(topic)).length, 2);
      assert.equal(deliveries.filter(({ message }) => message.id === bad.id).length, 1, "a dry run sends nothing");

      broken.clear();
      assert.equal((await ask("dlq", "replay", "--topic", topic, "--key", "ada")).code, 0);
      await eventually(() => effects.includes(bad.id), "the replayed message");
      const last = deliveries.findLast(({ message }) => message.id === bad.id);
      assert.equal(last?.topic, `${topic}.worker.retry.50ms`);
      assert.deepEqual(
        { ...last?.message, data: Buffer.from(last?.message.data ?? []), headers: {} },
        { ...bad, data: Buffer.from(bad.data), headers: {} },
      );
      assert.equal(last?.message.headers["traceparent"], bad.headers["traceparent"]);
      assert.equal(last?.message.headers["plumbline-error"], undefined);

      assert.deepEqual(await listed(topic), [other.id]);
      assert.equal((await listed(topic, "--all")).length, 2);
      assert.match((await ask("dlq", "replay", "--topic", topic, "--key", "ada")).out, /no dead letters/);
      await eventually(async () => (await lagOf(`${topic}.worker.retry.50ms`))["worker"] === 0, "the retry topic");
      assert.equal(
        deliveries.filter(({ message }) => message.id === bad.id).length,
        2,
        "the second replay sends nothing",
      );
      assert.deepEqual(
        audited.filter((id) => id === bad.id),
        [bad.id],
        "no other group sees it again",
      );
    });

    test("one that fails again is a dead letter of the same topic again, with its attempts counted anew", async () => {
      await using world = await setUp([50]);
      const bad = placed("ada");
      world.broken.add(bad.id);
      await world.broker.publish(world.topic, [bad]);
      await eventually(async () => (await listed(world.topic)).length === 1, "the dead letter");
      await ask("dlq", "replay", "--topic", world.topic);
      await eventually(async () => (await listed(world.topic, "--all")).length === 2, "the dead letter once more");
      assert.deepEqual(await listed(world.topic), [bad.id]);
      const { deadLetters } = await json<{ deadLetters: { attempts: number }[] }>(
        "dlq",
        "list",
        "--topic",
        world.topic,
      );
      assert.equal(deadLetters[0]?.attempts, 1);
    });

    test("without a retry topic it goes to the topic itself, and one that was handled already has no second effect", async () => {
      await using world = await setUp([]);
      const { broker, topic, broken, effects, deliveries } = world;
      const sent = placed("ada");
      broken.add(sent.id);
      await broker.publish(topic, [sent]);
      await eventually(async () => (await listed(topic)).length === 1, "the dead letter");
      broken.clear();
      await broker.publish(topic, [sent]); // An operator's other way, or the relay's repeat.
      await eventually(() => effects.length === 1, "the effect");
      const { out } = await ask("dlq", "replay", "--topic", topic);
      assert.match(out, new RegExp(`replayed 1 to ${topic} \\(no retry topic`));
      await eventually(async () => (await lagOf(topic))["worker"] === 0, "the replay handled");
      assert.equal(deliveries.length, 3);
      assert.deepEqual(effects, [sent.id]);
      assert.deepEqual(deliveries.at(-1)?.message.headers, sent.headers);
    });

    test("the limit keeps the oldest failures and says how many there are; --since leaves out what failed before", async () => {
      await using world = await setUp([]);
      const all = Array.from({ length: 7 }, (_, i) => placed(`customer-${i}`));
      for (const message of all) {
        world.broken.add(message.id);
        await world.broker.publish(world.topic, [message]);
        await eventually(() => world.deliveries.length > all.indexOf(message), "the failure");
      }
      await eventually(async () => (await listed(world.topic)).length === 7, "seven dead letters");
      assert.match((await ask("dlq", "list", "--topic", world.topic, "--limit", "2")).out, /2 of 7 dead letters/);
      const times = (await json<{ deadLetters: { failedAt: string }[] }>("dlq", "list", "--topic", world.topic))
        .deadLetters;
      assert.deepEqual(
        times.map(({ failedAt }) => failedAt),
        times.map(({ failedAt }) => failedAt).toSorted(),
      );
      const since = times[5]?.failedAt ?? "";
      assert.deepEqual(
        (
          await json<{ deadLetters: { failedAt: string }[] }>("dlq", "list", "--topic", world.topic, "--limit", "2")
        ).deadLetters.map((l) => l.failedAt),
        times.slice(0, 2).map((l) => l.failedAt),
      );
      const later = times.filter(({ failedAt }) => failedAt >= since).length;
      assert.equal((await listed(world.topic, "--since", since)).length, later);
      await ask("dlq", "replay", "--topic", world.topic, "--limit", "3");
      await eventually(async () => (await listed(world.topic, "--all")).length === 10, "three failed again");
      assert.equal((await listed(world.topic)).length, 7);
    });

    test("lag is what each group has not handled, by partition and in sum", async () => {
      await using broker = await open();
      const topic = unique("lag.events");
      await create(broker, [topic]);
      const messages = Array.from({ length: 9 }, (_, i) => placed(`customer-${i}`));
      await broker.publish(topic, messages);
      assert.equal((await ask("lag", "--topic", topic)).out, "no group reads here\n");
      const done = await broker.subscribe(topic, async () => undefined, { group: "quick", concurrency: 4 });
      const stuck = await broker.subscribe(
        topic,
        async ({ message }) => {
          if (message.id === messages[0]?.id) throw new Error("not yet");
        },
        { group: "slow.one", concurrency: 1 },
      );
      await eventually(async () => (await lagOf(topic))["quick"] === 0, "the quick group");
      await Promise.all([done, stuck].map((subscription) => subscription[Symbol.asyncDispose]()));
      await broker.publish(topic, messages.slice(0, 4));
      const sums = await lagOf(topic);
      assert.equal(sums["quick"], 4);
      assert.ok((sums["slow.one"] ?? 0) >= 5 && (sums["slow.one"] ?? 0) <= 13, JSON.stringify(sums));
      const { partitions } = await json<{
        partitions: { end: string; group: string; committed?: string; lag: string }[];
      }>("lag", "--topic", topic);
      const quick = partitions.filter(({ group }) => group === "quick");
      assert.equal(quick.length, 3);
      for (const { end, committed = "0", lag } of quick) assert.equal(BigInt(end) - BigInt(committed), BigInt(lag));
      assert.equal(
        quick.reduce((sum, { end }) => sum + Number(end), 0),
        13,
      );
      assert.match((await ask("lag", "--topic", topic, "--group", "quick")).out, /quick +all +4\n$/);
    });

    test("a message nobody gave up and a topic nobody made are said, with what to do", async () => {
      const shown = await ask("dlq", "show", "nothing");
      assert.deepEqual([shown.code, shown.out], [1, ""]);
      assert.match(shown.err, /dlq list --all/);
      const lag = await ask("lag", "--topic", unique("none"));
      assert.equal(lag.code, 1);
      assert.match(lag.err, /does not exist: lag without --topic/);
    });
  });

  async function lagOf(topic: string): Promise<Record<string, number>> {
    const { sums } = await json<{ sums: { group: string; lag: string }[] }>("lag", "--topic", topic);
    return Object.fromEntries(sums.map(({ group, lag }) => [group, Number(lag)]));
  }
}

test("a database that is no broker's is refused, and left without a table", async () => {
  const { code, err } = await call(["dlq", "list", "--url", inboxes.url]);
  assert.equal(code, 1);
  assert.match(err, /holds no messages of the postgres adapter: give the one/);
  const [row] = await database.query<{ there: boolean }>("SELECT to_regclass('topics') IS NOT NULL AS there");
  assert.equal(row?.there, false);
});

test("an event that cannot be decoded is shown as bytes", async () => {
  const { readableData } = await import("./event-json.ts");
  const message = placed("ada");
  assert.deepEqual(JSON.parse(readableData(message)).customerId, OrderPlaced.decode(message.data).customerId);
  assert.equal(readableData({ ...message, data: Buffer.from([0xff]) }), "ff");
});
