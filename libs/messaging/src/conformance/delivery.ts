import assert from "node:assert/strict";
import type { Case } from "./test-context.ts";
import { eventually, gate, group, message, messages, Received, unique } from "./test-context.ts";

/** The cases of delivery and redelivery. */
export const deliveryCases: readonly Case[] = [
  {
    name: "every message is delivered, and only once while nothing fails",
    async run(context) {
      const { broker, topic } = await context.topic();
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group("readers"));
      const sent = messages(100);
      await broker.publish(topic, sent);
      await received.all(sent);
      assert.equal(received.ids.length, 100);
    },
  },
  {
    name: "a message keeps its attributes, headers and data, also binary and empty data",
    async run(context) {
      const { broker, topic } = await context.topic();
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group("readers"));
      const binary = {
        ...message("ключ ✓"),
        contentType: "application/protobuf",
        data: Uint8Array.from({ length: 256 }, (_, i) => i),
        headers: {
          traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "x-note": "ünïcode ✓",
          "x-empty": "",
        },
      };
      const empty = { ...message(""), data: new Uint8Array() };
      await broker.publish(topic, [binary, empty]);
      await received.all([binary, empty]);
      for (const sent of [binary, empty]) {
        const delivery = received.deliveries.find((d) => d.message.id === sent.id);
        assert.ok(delivery);
        const { data, ...attributes } = delivery.message;
        const { data: sentData, ...sentAttributes } = sent;
        assert.deepEqual({ ...attributes, headers: { ...attributes.headers } }, sentAttributes);
        assert.deepEqual([...data], [...sentData]);
        assert.deepEqual([delivery.topic, delivery.group, delivery.attempt], [topic, "readers", 1]);
      }
    },
  },
  {
    name: "members of a group share the messages without losing one",
    async run(context) {
      const { broker, topic } = await context.topic();
      const other = await context.open();
      const [first, second] = [new Received(), new Received()];
      const both = new Received();
      for (const [member, received] of [
        [broker, first],
        [other, second],
      ] as const) {
        await member.subscribe(
          topic,
          async (delivery) => {
            received.deliveries.push(delivery);
            both.deliveries.push(delivery);
          },
          group("shared"),
        );
      }
      const sent = messages(20, 20);
      // The members need a moment to share the topic. Until then one member may hold everything.
      await eventually(() => {
        const more = messages(20, 20);
        sent.push(...more);
        void broker.publish(topic, more).catch(() => undefined);
        return first.ids.length > 0 && second.ids.length > 0;
      }, "both members to receive something");
      await broker.publish(topic, sent.slice(0, 20));
      await both.all(sent);
    },
  },
  {
    name: "each group receives every message, and each message goes to one member of the group",
    async run(context) {
      const { broker, topic } = await context.topic();
      const [orders, billing] = [new Received(), new Received()];
      await broker.subscribe(topic, orders.handler(), group("orders"));
      await broker.subscribe(topic, orders.handler(), group("orders"));
      await broker.subscribe(topic, billing.handler(), group("billing"));
      const sent = messages(60, 12);
      await broker.publish(topic, sent);
      await Promise.all([orders.all(sent), billing.all(sent)]);
      assert.equal(new Set(orders.ids).size, 60);
      assert.equal(new Set(billing.ids).size, 60);
    },
  },
  {
    name: "a message whose handler threw is redelivered, and its attempts are counted",
    async run(context) {
      const { broker, topic } = await context.topic();
      const received = new Received();
      const attempts: number[] = [];
      await broker.subscribe(
        topic,
        received.handler((delivery) => {
          attempts.push(delivery.attempt);
          if (delivery.attempt < 3) throw new Error("not yet");
        }),
        group("stubborn"),
      );
      const sent = message("a");
      await broker.publish(topic, [sent]);
      await received.all([sent]);
      assert.deepEqual(attempts, [1, 2, 3]);
    },
  },
  {
    name: "a message that keeps failing does not hold up other keys",
    async run(context) {
      const { broker, topic } = await context.topic(1);
      const received = new Received();
      await broker.subscribe(
        topic,
        received.handler((delivery) => {
          if (delivery.message.key === "poison") throw new Error("always");
        }),
        group("busy", { concurrency: 1 }),
      );
      const others = messages(20);
      await broker.publish(topic, [message("poison"), ...others]);
      await received.all(others);
    },
  },
  {
    name: "an unacknowledged message is delivered to the next member",
    async run(context) {
      const { broker, topic } = await context.topic();
      const started = gate();
      const subscription = await broker.subscribe(
        topic,
        async (delivery) => {
          started.open();
          await new Promise((_, reject) => delivery.signal.addEventListener("abort", () => reject(new Error("left"))));
        },
        group("heirs", { closeMs: 50 }),
      );
      const sent = message("a");
      await broker.publish(topic, [sent]);
      await started.passed;
      await subscription[Symbol.asyncDispose]();
      const received = new Received();
      await (await context.open()).subscribe(topic, received.handler(), group("heirs"));
      await received.all([sent]);
    },
  },
  {
    name: "a later acknowledgement does not cover an earlier unacknowledged message",
    async run(context) {
      const { broker, topic } = await context.topic(1);
      const [first, later] = [message("first"), message("later")];
      const received = new Received();
      const subscription = await broker.subscribe(
        topic,
        received.handler((delivery) => {
          if (delivery.message.key === "first") throw new Error("never acknowledged");
        }),
        group("gaps", { closeMs: 50 }),
      );
      await broker.publish(topic, [first, later]);
      await received.all([later]);
      await subscription[Symbol.asyncDispose]();
      const next = new Received();
      await (await context.open()).subscribe(topic, next.handler(), group("gaps"));
      await next.all([first]);
    },
  },
  {
    name: "a new group starts at the oldest kept message",
    async run(context) {
      const { broker, topic } = await context.topic();
      const sent = messages(10);
      await broker.publish(topic, sent);
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group(unique("late")));
      await received.all(sent);
    },
  },
  {
    name: "a subscription made before its topic exists receives messages published later",
    async run(context) {
      const broker = await context.open();
      const topic = unique("future");
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group("early"));
      await broker.createTopics([topic], { partitions: 2 });
      const sent = messages(4);
      await broker.publish(topic, sent);
      await received.all(sent);
    },
  },
];
