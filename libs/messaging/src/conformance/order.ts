import assert from "node:assert/strict";
import { type Message, withHeaders } from "../message.ts";
import { shareHeaders, shareOf } from "../share.ts";
import type { Case } from "./test-context.ts";
import { gate, group, message, messages, Received } from "./test-context.ts";

const idsOf = (sent: readonly Message[], key: string) => sent.filter((m) => m.key === key).map((m) => m.id);

/** The cases of order per key and of concurrency. */
export const orderCases: readonly Case[] = [
  {
    name: "messages of one key are handled in order, one at a time, at any concurrency",
    needs: "ordered",
    async run(context) {
      const { broker, topic } = await context.topic();
      const received = new Received();
      const running = new Set<string>();
      await broker.subscribe(
        topic,
        received.handler(async ({ message }) => {
          assert.ok(!running.has(message.key), "two at once");
          running.add(message.key);
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
          running.delete(message.key);
        }),
        group("ordered", { concurrency: 16 }),
      );
      const sent = messages(120, 6);
      for (let i = 0; i < sent.length; i += 10) await broker.publish(topic, sent.slice(i, i + 10));
      await received.all(sent);
      for (let key = 0; key < 6; key++) assert.deepEqual(received.order(`key-${key}`), idsOf(sent, `key-${key}`));
    },
  },
  {
    name: "a client's message is handled while those of another client, sent before it, still wait",
    needs: "ordered",
    async run(context) {
      const { broker, topic } = await context.topic(1);
      const finish = gate();
      const received = new Received();
      const handler = received.handler(async ({ message }) => {
        if (shareOf(message).share === "flood") await finish.passed;
      });
      await broker.subscribe(topic, handler, group("shares", { concurrency: 4, capacity: 200 }));
      const of = (share: string, cost: number, each: Message) => withHeaders(each, shareHeaders(share, cost));
      const flood = messages(100, 100).map((each) => of("flood", 100, each));
      const other = of("other", 1, message("other"));
      await broker.publish(topic, [...flood, other]);
      await received.all([other]);
      assert.deepEqual(received.ids, [other.id]);
      finish.open();
      await received.all(flood);
    },
  },
  {
    name: "a redelivery keeps the order of its key, and later messages wait for it",
    needs: "ordered",
    async run(context) {
      const { broker, topic } = await context.topic();
      const received = new Received();
      await broker.subscribe(
        topic,
        received.handler(({ message, attempt }) => {
          if (Number(Buffer.from(message.data).toString()) % 7 === 0 && attempt < 3) throw new Error("again");
        }),
        group("ordered"),
      );
      const sent = messages(60, 3);
      await broker.publish(topic, sent);
      await received.all(sent);
      for (let key = 0; key < 3; key++) assert.deepEqual(received.order(`key-${key}`), idsOf(sent, `key-${key}`));
    },
  },
  {
    name: "one publisher serves many tasks at once and keeps the order of each",
    needs: "ordered",
    async run(context) {
      const { broker, topic } = await context.topic();
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group("ordered"));
      const tasks = Array.from({ length: 12 }, (_, task) =>
        Array.from({ length: 8 }, (_, i) => message(`task-${task}`, String(i))),
      );
      await Promise.all(
        tasks.map(async (sent) => {
          for (const one of sent) await broker.publish(topic, [one]);
        }),
      );
      await received.all(tasks.flat());
      tasks.forEach((sent, task) => assert.deepEqual(received.order(`task-${task}`), idsOf(sent, `task-${task}`)));
    },
  },
  {
    name: "different keys of one partition are handled at once, up to the concurrency",
    async run(context) {
      const { broker, topic } = await context.topic(1);
      const received = new Received();
      const three = gate();
      let running = 0;
      let most = 0;
      await broker.subscribe(
        topic,
        received.handler(async () => {
          running++;
          most = Math.max(most, running);
          if (running === 3) three.open();
          await three.passed; // Returns once three run at once. Fewer would never finish.
          await new Promise((resolve) => setTimeout(resolve, 1));
          running--;
        }),
        group("wide", { concurrency: 3 }),
      );
      const sent = messages(60, 60);
      await broker.publish(topic, sent);
      await received.all(sent);
      assert.equal(most, 3);
    },
  },
];
