/** What went wrong for others with kafkajs, each as a promise that can break. The issue is named beside it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { sleep } from "@plumbline/concurrency";
import { noTelemetry } from "@plumbline/telemetry";
import { startTemporaryKafka, testKafka, whyNoKafka } from "@plumbline/tools-engines";
import kafkajs from "kafkajs";
import { eventually, message, unique } from "../conformance/test-context.ts";
import { openKafkaBroker } from "./broker.ts";
import type { KafkaOptions } from "./client.ts";

const skip = whyNoKafka() ?? false;

async function open(options: Partial<KafkaOptions> = {}) {
  return await openKafkaBroker(
    { brokers: (await testKafka()).split(","), clientId: "traps", sessionMs: 6_000, ...options },
    noTelemetry,
  );
}

/** Wakes per second of a process with one idle connection, and what it wrote to standard error. */
async function idle(patched: boolean): Promise<{ perSecond: number; warnings: string }> {
  const script = `
    import kafkajs from "kafkajs";
    import { quietRequestQueue } from ${JSON.stringify(join(import.meta.dirname, "quiet-request-queue.ts"))};
    if (${patched}) quietRequestQueue();
    const kafka = new kafkajs.Kafka({ brokers: ${JSON.stringify((await testKafka()).split(","))}, logLevel: 0 });
    const admin = kafka.admin();
    await admin.connect();
    await admin.listTopics();
    const seconds = 2;
    const before = process.resourceUsage().voluntaryContextSwitches;
    setTimeout(() => {
      console.log((process.resourceUsage().voluntaryContextSwitches - before) / seconds);
      process.exit(0);
    }, seconds * 1000);`;
  const child = spawn(process.execPath, ["-C", "source", "--input-type=module", "-e", script], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let warnings = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (warnings += text));
  await new Promise((resolve) => child.once("close", resolve));
  return { perSecond: Number(output), warnings };
}

test("an idle connection wakes the process about ten times a second, not a thousand, and warns of nothing (#1556)", {
  skip,
}, async () => {
  const [before, after] = [await idle(false), await idle(true)];
  // Ten are kafkajs's own check of request time-outs; the rest is the runtime's.
  assert.ok(after.perSecond <= 25, `${after.perSecond} wakes a second`);
  assert.ok(before.perSecond > 10 * after.perSecond, `unpatched ${before.perSecond}, patched ${after.perSecond}`);
  assert.doesNotMatch(after.warnings, /TimeoutNegativeWarning/);
});

test("a handler longer than the session causes no rebalance and is delivered once (#1647)", { skip }, async () => {
  const sessionMs = 1_000;
  await using broker = await open({ sessionMs });
  const topic = unique("topic");
  await broker.createTopics([topic], { partitions: 2 });
  const kafka = new kafkajs.Kafka({ brokers: (await testKafka()).split(","), logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const member = async () => (await admin.describeGroups([`${topic}.slow`])).groups[0]?.members[0]?.memberId;
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
  await admin.disconnect();
});

test("publishes that overlap arrive in the order they were made (#598)", { skip }, async () => {
  await using broker = await open();
  const topic = unique("topic");
  await broker.createTopics([topic], { partitions: 1 });
  const sent = Array.from({ length: 500 }, (_, index) => message("one", String(index)));
  // A set: a send whose answer was lost may be stored twice. Each is where it came first.
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

test("a subscription without contact gives up in public instead of looking healthy for ever (#1443)", {
  skip,
}, async () => {
  const kafka = await startTemporaryKafka();
  const failed = Promise.withResolvers<Error>();
  const broker = await openKafkaBroker(
    { brokers: [kafka.brokers], clientId: "traps", sessionMs: 1_000, giveUpMs: 2_000, onGiveUp: failed.resolve },
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
  assert.match(error.message, /no lasting contact with Kafka for \d+ ms: g gives up topic/);
  await broker[Symbol.asyncDispose]();
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

test("a message outlives its retention by a day at most: segments end daily", { skip }, async () => {
  await using broker = await open();
  const topic = unique("topic");
  await broker.createTopics([topic], { partitions: 1 });
  const kafka = new kafkajs.Kafka({ brokers: (await testKafka()).split(","), logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ["segment.ms"] }],
  });
  assert.equal(resources[0]?.configEntries[0]?.configValue, String(24 * 3_600_000));
  await admin.disconnect();
});
