import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { ServiceError } from "@plumbline/errors";
import { connectBroker, retryAndDeadLetterTopics, subscribeWithRetries } from "@plumbline/messaging";
import { openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase, testKafka, whyNoKafka } from "@plumbline/tools-engines";
import { call, eventually, placed, unique } from "../test/operator.ts";

const engine = await testDatabase();
after(async () => await engine[Symbol.asyncDispose]());
const { url } = engine;
const broker = await connectBroker({ adapter: "postgres", postgres: { url } }, noTelemetry);
after(async () => await broker[Symbol.asyncDispose]());

const ask = async (...args: string[]) => await call([...args, "--url", url]);

async function json<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await ask(...args, "--json");
  assert.equal(code, 0, err);
  return JSON.parse(out) as T;
}

interface Listed {
  readonly matching: number;
  readonly deadLetters: readonly { readonly message: { readonly id: string }; readonly replayed: boolean }[];
}

/** A topic whose group "worker" fails on every message while `failing` is true. */
async function failingTopic(retryDelaysMs: readonly number[]) {
  const topic = unique("orders.events");
  await broker.createTopics([topic, ...retryAndDeadLetterTopics(topic, "worker", retryDelaysMs)], { partitions: 3 });
  const state = { topic, failing: true, deliveries: 0 };
  const handler = async (): Promise<void> => {
    state.deliveries++;
    if (state.failing) throw new ServiceError("invalid_argument", "no such\u001b[31m item");
  };
  const retries = { attempts: 1, baseMs: 1, maxMs: 1 };
  const options = { group: "worker", concurrency: 4, retries, retryDelaysMs };
  await subscribeWithRetries(broker, topic, handler, noTelemetry, options);
  const deadLetters = (count: number) =>
    eventually(async () => (await json<Listed>("dlq", "list", "--topic", topic)).matching === count, "dead letters");
  return { state, topic, deadLetters };
}

describe("dead letters", () => {
  test("are listed in a table, shown in full, and replayed once", async () => {
    const { state, topic, deadLetters } = await failingTopic([50]);
    const [ada, bob] = [placed("ada"), placed("bob")];
    await broker.publish(topic, [ada, bob]);
    await deadLetters(2);

    const table = await ask("dlq", "list", "--topic", topic, "--group", "worker", "--key", "ada");
    assert.ok(table.out.includes(ada.id) && !table.out.includes(bob.id), table.out);
    assert.match(table.out, /ServiceError: no such/);
    assert.match(table.out, /\n1 dead letter\n$/);
    assert.ok(!table.out.includes("\u001b"), "control characters of an error do not reach the terminal");
    const shown = await ask("dlq", "show", ada.id);
    assert.match(shown.out, /"customerId":"ada"/);
    assert.match(shown.out, /invalid_argument/);
    assert.match(shown.out, new RegExp(`traceparent +${ada.headers["traceparent"]}`));

    const retry = `${topic}.worker.retry.50ms`;
    const dry = await ask("dlq", "replay", "--topic", topic, "--id", ada.id, "--dry-run");
    assert.match(dry.out, new RegExp(`would replay 1 to ${retry}`));
    assert.equal(state.deliveries, 2, "a dry run publishes nothing");
    assert.equal((await json<Listed>("dlq", "list", "--topic", topic)).matching, 2);

    state.failing = false;
    const replayed = await ask("dlq", "replay", "--topic", topic, "--key", "ada");
    assert.match(replayed.out, new RegExp(`replayed 1 to ${retry}\n1 dead letter\n$`));
    await eventually(() => state.deliveries === 3, "the replayed message");
    assert.match((await ask("dlq", "replay", "--topic", topic, "--key", "ada")).out, /no dead letters/);
    const { deadLetters: all } = await json<Listed>("dlq", "list", "--topic", topic, "--all");
    assert.deepEqual(
      all.filter((letter) => letter.replayed).map((letter) => letter.message.id),
      [ada.id],
    );
    assert.match((await ask("dlq", "list", "--topic", topic, "--all")).out, /\(replayed\)/);
  });

  test("with a forged date are listed, shown and replayed with the others", async () => {
    const { state, topic, deadLetters } = await failingTopic([50]);
    const headers = { "plumbline-topic": topic, "plumbline-group": "worker", "plumbline-failed-at": "never" };
    const forged = { ...placed("eve"), headers };
    await broker.publish(`${topic}.worker.dead`, [forged]);
    await broker.publish(topic, [placed("ada")]);
    await deadLetters(2);
    const { code, out, err } = await ask("dlq", "list", "--topic", topic);
    assert.equal(code, 0, err);
    assert.match(out, new RegExp(`1970-01-01T00:00:00.000Z.*${forged.id}`));
    assert.equal((await ask("dlq", "show", forged.id)).code, 0);
    state.failing = false;
    const replayed = await ask("dlq", "replay", "--topic", topic);
    assert.match(replayed.out, /replayed 2 to .*\n2 dead letters\n$/, replayed.err);
    await eventually(() => state.deliveries === 3, "the replayed messages");
  });

  test("without a retry topic go to the topic itself, and the command says so", async () => {
    const { topic, deadLetters } = await failingTopic([]);
    await broker.publish(topic, [placed("ada")]);
    await deadLetters(1);
    const { out } = await ask("dlq", "replay", "--topic", topic);
    assert.match(out, new RegExp(`replayed 1 to ${topic} \\(the group reads no retry topic`));
  });

  test("over the limit are counted, and --since leaves out earlier failures", async () => {
    const { topic, deadLetters } = await failingTopic([]);
    await broker.publish(topic, [placed("ada"), placed("bob"), placed("eve")]);
    await deadLetters(3);
    assert.match((await ask("dlq", "list", "--topic", topic, "--limit", "2")).out, /2 of 3 dead letters/);
    const future = new Date(Date.now() + 60_000).toISOString();
    assert.match((await ask("dlq", "list", "--topic", topic, "--since", future)).out, /no dead letters/);
  });

  test("that do not exist cannot be shown, and the command says what to do", async () => {
    const { code, out, err } = await ask("dlq", "show", "nothing");
    assert.deepEqual([code, out], [1, ""]);
    assert.match(err, /dlq list --all/);
  });
});

describe("lag", () => {
  test("is shown by partition and in sum", async () => {
    const topic = unique("lag.events");
    await broker.createTopics([topic], { partitions: 3 });
    assert.equal((await ask("lag", "--topic", topic)).out, "no group reads this\n");
    const subscription = await broker.subscribe(topic, async () => undefined, { group: "quick", concurrency: 1 });
    const sums = async () => (await json<{ sums: { group: string; lag: string }[] }>("lag", "--topic", topic)).sums;
    await eventually(async () => (await sums()).length === 1, "the group");
    await subscription[Symbol.asyncDispose]();
    await broker.publish(topic, [placed("ada"), placed("bob")]);
    assert.deepEqual(await sums(), [{ topic, group: "quick", lag: "2" }]);
    assert.match((await ask("lag", "--topic", topic, "--group", "quick")).out, /quick +all +2\n$/);
  });

  test("fails for a topic that does not exist, and the command says what to do", async () => {
    const { code, err } = await ask("lag", "--topic", unique("none"));
    assert.equal(code, 1);
    assert.match(err, /does not exist: lag without --topic/);
  });

  test("is read from Kafka with --adapter kafka", { skip: whyNoKafka() ?? false }, async () => {
    const topic = unique("lag.events");
    const brokers = await testKafka();
    const kafka = { brokers: brokers.split(","), clientId: "test" };
    await using onKafka = await connectBroker({ adapter: "kafka", kafka }, noTelemetry);
    await onKafka.createTopics([topic], { partitions: 1 });
    const { code, out, err } = await call(["lag", "--topic", topic, "--adapter", "kafka", "--brokers", brokers]);
    assert.deepEqual([code, out], [0, "no group reads this\n"], err);
  });
});

test("a database without a broker's tables is refused, and no table is created", async () => {
  await using other = await testDatabase();
  const { code, err } = await call(["dlq", "list", "--url", other.url]);
  assert.equal(code, 1);
  assert.match(err, /has no tables of the postgres adapter: pass the services' database/);
  await using database = await openDatabase({ url: other.url, applicationName: "test" }, noTelemetry);
  const [row] = await database.query<{ there: boolean }>("SELECT to_regclass('topics') IS NOT NULL AS there");
  assert.equal(row?.there, false);
});
