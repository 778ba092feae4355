import assert from "node:assert/strict";
import { noTelemetry } from "@plumbline/telemetry";
import type { Broker, Handler } from "../broker.ts";
import type { Message } from "../message.ts";
import { subscribeWithRetries } from "../subscribe-with-retries.ts";
import { deadTopic, retryAndDeadLetterTopics, retryTopic } from "../topics.ts";
import type { Case } from "./test-context.ts";
import { eventually, group, message, Received, type TestContext, unique } from "./test-context.ts";

const delayMs = 200;

/** The headers of a failed message, written by someone who may publish. */
const forged = {
  "plumbline-group": "workers",
  "plumbline-topic": "nowhere",
  "plumbline-attempts": "1e308",
  "plumbline-due": "9999-01-01T00:00:00.000Z",
  "plumbline-failed-at": "never",
  "plumbline-anything": "x",
};

function forge(key: string): Message {
  return { ...message(key), headers: forged };
}

/** A topic whose group "workers" handles messages with few places, and its dead letters. */
async function openGroup(context: TestContext, handler: Handler): Promise<Opened> {
  const broker = await context.open();
  const topic = unique("topic");
  await broker.createTopics([topic, ...retryAndDeadLetterTopics(topic, "workers", [delayMs])], { partitions: 2 });
  const retries = { attempts: 1, baseMs: 1, maxMs: 2 };
  const options = { ...group("workers", { concurrency: 2, capacity: 4 }), retries, retryDelaysMs: [delayMs] };
  await subscribeWithRetries(broker, topic, handler, noTelemetry, options);
  const dead = new Received();
  await broker.subscribe(deadTopic(topic, "workers"), dead.handler(), group(unique("reader")));
  return { broker, topic, dead };
}

interface Opened {
  readonly broker: Broker;
  readonly topic: string;
  readonly dead: Received;
}

/** The cases of messages that a stranger wrote. */
export const strangerCases: readonly Case[] = [
  {
    name: "forged headers of failed messages do not hold up a group, and its dead letters are its own",
    async run(context) {
      const received = new Received();
      const seen: Record<string, string>[] = [];
      const handler = received.handler(({ topic: from, message: { key, headers } }) => {
        if (!key.startsWith("forged")) return;
        if (!from.includes(".retry.")) seen.push(headers);
        throw new Error("always");
      });
      const { broker, topic, dead } = await openGroup(context, handler);
      const poison = Array.from({ length: 10 }, (_, index) => forge(`forged-${index}`));
      await broker.publish(topic, poison);
      const others = [message("a"), message("b")];
      await broker.publish(topic, others);
      await received.all(others);
      assert.deepEqual(
        seen.flatMap((headers) => Object.keys(headers).filter((name) => name in forged)),
        [],
      );
      await dead.all(poison);
      for (const { message: letter } of dead.deliveries) {
        assert.equal(letter.headers["plumbline-topic"], topic);
        assert.equal(letter.headers["plumbline-attempts"], "2");
        assert.ok(!("plumbline-anything" in letter.headers));
      }
    },
  },
  {
    name: "a forged date in a retry topic delays its message by no more than the topic's delay",
    async run(context) {
      const received = new Received();
      const handler = received.handler(({ message: { key } }) => {
        if (key.startsWith("failing")) throw new Error("always");
      });
      const { broker, topic, dead } = await openGroup(context, handler);
      const retry = retryTopic(topic, "workers", delayMs);
      const late = Array.from({ length: 10 }, (_, index) => forge(`late-${index}`));
      const failing = Array.from({ length: 10 }, (_, index) => forge(`failing-${index}`));
      await broker.publish(retry, [...late, ...failing]);
      await received.all(late);
      await dead.all(failing);
      for (const { message: letter } of dead.deliveries) {
        assert.equal(letter.headers["plumbline-topic"], topic);
        assert.equal(letter.headers["plumbline-attempts"], "1");
      }
    },
  },
  {
    name: "a broker is stuck while messages that keep failing hold every place, and no longer",
    async run(context) {
      const { broker, topic } = await context.topic(1);
      const received = new Received();
      let failing = true;
      await broker.subscribe(
        topic,
        received.handler(() => {
          if (failing) throw new Error("not yet");
        }),
        group("workers", { concurrency: 2, capacity: 4 }),
      );
      assert.equal(broker.isStuck, false);
      const sent = Array.from({ length: 6 }, (_, index) => message(`key-${index % 3}`));
      await broker.publish(topic, sent.slice(0, 3));
      await eventually(() => !broker.isStuck, "places that are free");
      await broker.publish(topic, sent.slice(3));
      await eventually(() => broker.isStuck, "failures in every place");
      failing = false;
      await received.all(sent);
      assert.equal(broker.isStuck, false);
    },
  },
];
