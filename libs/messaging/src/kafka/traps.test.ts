/** Known failures of Kafka clients, each as a promise that can break, with the kafkajs issue. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import test, { describe } from "node:test";
import { Admin, ConfigResourceTypes, Producer, stringSerializers } from "@platformatic/kafka";
import { sleep } from "@plumbline/concurrency";
import { noTelemetry } from "@plumbline/telemetry";
import { startTemporaryKafka, testKafka, whyNoKafka } from "@plumbline/tools-engines";
import { publishUntilAccepted } from "../../test/publish-until-accepted.ts";
import { eventually, gate, message, Received, unique } from "../conformance/test-context.ts";
import { openInspector } from "../inspect/open-inspector.ts";
import { openKafkaBroker } from "./broker.ts";
import { type KafkaClientName, type KafkaOptions, kafkaClients } from "./options.ts";

const skip = whyNoKafka() ?? false;

async function openWith(client: KafkaClientName, options: Partial<KafkaOptions> = {}) {
  return await openKafkaBroker(
    { client, brokers: (await testKafka()).split(","), clientId: "traps", sessionMs: 6_000, ...options },
    noTelemetry,
  );
}

const text = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);

async function openProducer(options: { idempotent?: boolean; transactionalId?: string } = {}) {
  const bootstrapBrokers = (await testKafka()).split(",");
  const producer = new Producer({ clientId: "foreign", bootstrapBrokers, serializers: stringSerializers, ...options });
  return Object.assign(producer, { [Symbol.asyncDispose]: async () => await producer.close() });
}

/** Connects to Kafka directly, for facts that the broker port does not expose. */
async function openAdmin() {
  const admin = new Admin({ clientId: "traps", bootstrapBrokers: (await testKafka()).split(",") });
  return Object.assign(admin, { [Symbol.asyncDispose]: async () => await admin.close() });
}

/**
 * The most wakes per second of an idle subscription. kafkajs fetches ten times a second, because
 * commits wait behind a fetch, and the other client once.
 */
const mostWakes = { kafkajs: 100, platformatic: 40 };

for (const client of kafkaClients) {
  const open = async (options: Partial<KafkaOptions> = {}) => await openWith(client, options);
  void describe(`Kafka through ${client}`, () => {
    test("a handler longer than the session causes no rebalance and is delivered once (#1647)", { skip }, async () => {
      const sessionMs = 1_000;
      await using broker = await open({ sessionMs });
      const topic = unique("topic");
      await broker.createTopics([topic], { partitions: 2 });
      await using admin = await openAdmin();
      const groupId = `${topic}.slow`;
      const member = async () =>
        [...((await admin.describeGroups({ groups: [groupId] })).get(groupId)?.members.keys() ?? [])][0];
      const attempts: number[] = [];
      let done = false;
      await using _ = await broker.subscribe(
        topic,
        async ({ attempt }) => {
          attempts.push(attempt);
          await sleep(3 * sessionMs);
          done = true;
        },
        { group: "slow", concurrency: 1 },
      );
      await broker.publish(topic, [message("key")]);
      await eventually(() => attempts.length > 0, "the delivery");
      const before = await member();
      await eventually(() => done, "the handler");
      assert.equal(await member(), before);
      assert.ok(before !== undefined);
      assert.deepEqual(attempts, [1]);
    });

    test("overlapping publishes arrive in their order (#598)", { skip }, async () => {
      await using broker = await open();
      const topic = unique("topic");
      await broker.createTopics([topic], { partitions: 1 });
      const sent = Array.from({ length: 500 }, (_, index) => message("one", String(index)));
      // A set, because a send whose reply was lost may be stored twice. The first copy counts.
      const received = new Set<string>();
      await using _ = await broker.subscribe(
        topic,
        async ({ message: { data } }) => {
          received.add(Buffer.from(data).toString());
        },
        { group: "g", concurrency: 1 },
      );
      await Promise.all(sent.map((one) => broker.publish(topic, [one])));
      await eventually(() => received.size >= sent.length, "all messages");
      assert.deepEqual(
        [...received],
        sent.map((_, index) => String(index)),
      );
    });

    test("a subscription without contact stops and reports it (#1443)", {
      skip,
    }, async () => {
      const kafka = await startTemporaryKafka();
      const failed = Promise.withResolvers<Error>();
      const broker = await openKafkaBroker(
        {
          client,
          brokers: [kafka.brokers],
          clientId: "traps",
          sessionMs: 1_000,
          giveUpMs: 2_000,
          onGiveUp: failed.resolve,
        },
        noTelemetry,
      );
      await broker.createTopics(["topic"], { partitions: 1 });
      let handled = 0;
      await broker.subscribe(
        "topic",
        async () => {
          handled++;
        },
        { group: "g", concurrency: 1 },
      );
      await broker.publish("topic", [message("key")]);
      await eventually(() => handled > 0, "the delivery");
      await kafka[Symbol.asyncDispose]();
      const error = await failed.promise;
      assert.match(error.message, /no lasting contact with Kafka for \d+ ms; group g stops reading topic/);
      await broker[Symbol.asyncDispose]();
    });

    test("a member that closes leaves its group at once, without waiting for its session to expire", {
      skip,
    }, async () => {
      const topic = unique("topic");
      const groupId = `${topic}.g`;
      await using broker = await open({ sessionMs: 30_000 });
      await broker.createTopics([topic], { partitions: 1 });
      const received = new Received();
      const subscription = await broker.subscribe(topic, received.handler(), { group: "g", concurrency: 1 });
      await broker.publish(topic, [message("key")]);
      await eventually(() => received.deliveries.length === 1, "the delivery");
      await subscription[Symbol.asyncDispose]();
      await using admin = await openAdmin();
      assert.equal((await admin.describeGroups({ groups: [groupId] })).get(groupId)?.members.size, 0);
    });

    test("a long backlog is handled without holding more than the capacity and one fetch (back-pressure)", {
      skip,
    }, async () => {
      await using broker = await open();
      const topic = unique("topic");
      await broker.createTopics([topic], { partitions: 1 });
      const count = 5_000;
      await broker.publish(
        topic,
        Array.from({ length: count }, (_, index) => message(`key-${index}`, "x".repeat(200))),
      );
      const seen = new Set<string>();
      let running = 0;
      let most = 0;
      await using _ = await broker.subscribe(
        topic,
        async ({ message: { id } }) => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          seen.add(id);
          running--;
        },
        { group: "g", concurrency: 16, capacity: 32 },
      );
      await eventually(() => seen.size === count, "the whole backlog");
      assert.ok(most <= 16);
    });

    test("a message outlives its retention by a day at most, because segments end daily", { skip }, async () => {
      await using broker = await open();
      const topic = unique("topic");
      await broker.createTopics([topic], { partitions: 1 });
      await using admin = await openAdmin();
      const resource = {
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: topic,
        configurationKeys: ["segment.ms"],
      };
      const [described] = await admin.describeConfigs({ resources: [resource] });
      assert.equal(described?.configs[0]?.value, String(24 * 3_600_000));
    });

    test(`an idle subscription wakes the process at most ${mostWakes[client]} times a second`, { skip }, async () => {
      const topic = unique("topic");
      await using broker = await open();
      await broker.createTopics([topic], { partitions: 2 });
      const child = fork(
        join(import.meta.dirname, "../../test/programs/idle-subscriber.ts"),
        [client, await testKafka(), topic],
        {
          execArgv: ["-C", "source"],
        },
      );
      const [{ wakesPerSecond }] = (await once(child, "message")) as [{ wakesPerSecond: number }];
      child.kill();
      assert.ok(wakesPerSecond <= mostWakes[client], `${wakesPerSecond} wakes a second`);
    });

    for (const compression of ["gzip", "snappy", "lz4", "zstd"] as const) {
      test(`a batch that another producer compressed with ${compression} is handled`, {
        skip,
      }, async () => {
        await using broker = await open();
        const topic = unique("topic");
        await broker.createTopics([topic], { partitions: 1 });
        await using producer = await openProducer();
        const messages = ["a", "b", "c"].map((value) => ({
          topic,
          key: value,
          value: value.repeat(1_000),
          partition: 0,
        }));
        await producer.send({ messages, compression });
        const received = new Received();
        await using _ = await broker.subscribe(topic, received.handler(), { group: "g", concurrency: 1 });
        await eventually(() => received.deliveries.length === 3, "the batch");
        assert.deepEqual(
          received.deliveries.map(({ message: { data } }) => Buffer.from(data).toString()),
          messages.map(({ value }) => value),
        );
      });
    }

    test("records of aborted transactions are not handled, and markers of transactions do not block", {
      skip,
    }, async () => {
      await using broker = await open();
      const topic = unique("topic");
      await broker.createTopics([topic], { partitions: 1 });
      await using producer = await openProducer({ idempotent: true, transactionalId: topic });
      for (const [value, outcome] of [
        ["a", "commit"],
        ["b", "abort"],
        ["c", "commit"],
        ["d", "abort"],
        ["e", "commit"],
      ] as const) {
        const transaction = await producer.beginTransaction();
        await transaction.send({ messages: [{ topic, key: "key", value, partition: 0 }] });
        await transaction[outcome]();
      }
      const received = new Received();
      await using _ = await broker.subscribe(topic, received.handler(), { group: "g", concurrency: 1 });
      await broker.publish(topic, [message("key", "last")]);
      await eventually(() => received.deliveries.length >= 4, "the committed records");
      const texts = received.deliveries.map(({ message: { data } }) => Buffer.from(data).toString());
      assert.deepEqual(texts, ["a", "c", "e", "last"]);
    });

    test("markers and aborted records are no lag, and a log of nothing else can be read", { skip }, async () => {
      await using broker = await open();
      const topic = unique("topic");
      await broker.createTopics([topic], { partitions: 1 });
      await using producer = await openProducer({ idempotent: true, transactionalId: topic });
      const abort = async () => {
        const transaction = await producer.beginTransaction();
        await transaction.send({ messages: [{ topic, key: "key", value: "aborted", partition: 0 }] });
        await transaction.abort();
      };
      await abort();
      const brokers = (await testKafka()).split(",");
      await using inspector = await openInspector({ adapter: "kafka", brokers, client }, noTelemetry);
      const read: string[] = [];
      await inspector.read([topic], ({ message: { id } }) => void read.push(id), {
        signal: AbortSignal.timeout(20_000),
      });
      assert.deepEqual(read, []);
      const received = new Received();
      await using _ = await broker.subscribe(topic, received.handler(), { group: "g", concurrency: 1 });
      const noLag = async (end: bigint) => {
        const of = async () => (await inspector.lag([topic])).map((row) => [row.end, row.lag]);
        const until = performance.now() + 20_000;
        while (JSON.stringify(await of(), text) !== JSON.stringify([[end, 0n]], text)) {
          assert.ok(performance.now() < until, `${JSON.stringify(await of(), text)} after 20 s`);
          await sleep(50);
        }
      };
      await noLag(2n);
      await broker.publish(topic, [message("key", "last")]);
      await abort();
      await noLag(5n);
      assert.equal(received.deliveries.length, 1);
    });

    test("a topic that is deleted and created again is handled from its start", { skip }, async () => {
      await using broker = await open();
      const topic = unique("topic");
      await broker.createTopics([topic], { partitions: 1 });
      const received = new Received();
      await using _ = await broker.subscribe(topic, received.handler(), { group: "g", concurrency: 1 });
      const before = [message("key", "1"), message("key", "2"), message("key", "3")];
      await broker.publish(topic, before);
      await received.all(before);
      await sleep(300); // Time for their commit.
      await using admin = await openAdmin();
      await admin.deleteTopics({ topics: [topic] });
      while ((await admin.listTopics()).includes(topic)) await sleep(20);
      await admin.createTopics({ topics: [topic], partitions: 1 });
      const after = [message("key", "4")];
      await publishUntilAccepted(broker, topic, after);
      await received.all(after);
    });

    test("a member that was evicted from its group does not move the position of its successor", { skip }, async () => {
      await using slow = await open({ sessionMs: 30_000 });
      await using fast = await open({ sessionMs: 6_000 });
      const topic = unique("topic");
      const groupId = `${topic}.g`;
      await slow.createTopics([topic], { partitions: 1 });
      const [started, finish] = [gate(), gate()];
      const options = { group: "g", concurrency: 1, capacity: 1 };
      await using _slow = await slow.subscribe(
        topic,
        async () => {
          started.open();
          await finish.passed;
        },
        options,
      );
      const sent = Array.from({ length: 5 }, (_, index) => message("key", String(index)));
      await slow.publish(topic, sent);
      await started.passed;
      await using admin = await openAdmin();
      const received = new Received();
      await using _fast = await fast.subscribe(topic, received.handler(), options);
      const members = async () =>
        (await admin.describeGroups({ groups: [groupId] })).get(groupId)?.members.keys() ?? [];
      const [owner = ""] = await members();
      await admin.removeMembersFromConsumerGroup({ groupId, members: [{ memberId: owner }] });
      await received.all(sent);
      const position = async () => {
        const [group] = await admin.listConsumerGroupOffsets({ groups: [groupId] });
        return group?.topics[0]?.partitions[0]?.committedOffset;
      };
      while ((await position()) !== 5n) await sleep(20);
      finish.open();
      for (const end = performance.now() + 1_000; performance.now() < end; ) assert.equal(await position(), 5n);
    });
  });
}

test("members on both clients share a group and keep its order", { skip }, async () => {
  const topic = unique("topic");
  const brokers = await Promise.all(kafkaClients.map(async (client) => await openWith(client)));
  await using closing = new AsyncDisposableStack();
  for (const broker of brokers) closing.use(broker);
  await brokers[0]?.createTopics([topic], { partitions: 4 });
  const received = brokers.map(() => new Received());
  for (const [index, broker] of brokers.entries()) {
    const handler = (received[index] as Received).handler();
    closing.use(await broker.subscribe(topic, handler, { group: "g", concurrency: 4 }));
  }
  const sent: string[] = [];
  for (let round = 0; received.some(({ deliveries }) => deliveries.length === 0); round++) {
    assert.ok(round < 300, "one of the members receives nothing");
    const messages = Array.from({ length: 8 }, (_, key) => message(`key-${key}`, String(round)));
    await brokers[round % brokers.length]?.publish(topic, messages);
    sent.push(...messages.map(({ id }) => id));
    await sleep(50);
  }
  await eventually(() => {
    const ids = new Set(received.flatMap((one) => one.ids));
    return sent.every((id) => ids.has(id));
  }, "all messages");
});
