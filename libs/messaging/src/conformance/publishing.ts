import assert from "node:assert/strict";
import { codeOf } from "@plumbline/errors";
import { sizeOf } from "../message.ts";
import type { Case } from "./test-context.ts";
import { group, message, messages, Received, unique } from "./test-context.ts";

/** The cases of publishing and of topics. */
export const publishingCases: readonly Case[] = [
  {
    name: "an aborted publish rejects with the signal's reason and sends nothing",
    async run(context) {
      const { broker, topic } = await context.topic();
      const reason = new Error("the caller left");
      const aborted = message("a", "aborted");
      await assert.rejects(broker.publish(topic, [aborted], { signal: AbortSignal.abort(reason) }), reason);
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group("readers"));
      const marker = message("a", "marker");
      await broker.publish(topic, [marker]);
      await received.all([marker]);
      assert.ok(!received.has(aborted));
    },
  },
  {
    name: "publishing to a topic that does not exist is rejected with not_found",
    async run(context) {
      const broker = await context.open();
      await assert.rejects(broker.publish(unique("missing"), [message("a")]), (error) => codeOf(error) === "not_found");
    },
  },
  {
    name: "publishing no message is accepted and delivers nothing",
    async run(context) {
      const { broker, topic } = await context.topic();
      await broker.publish(topic, []);
    },
  },
  {
    name: "a message at the size limit is delivered whole, and a larger one is rejected with invalid_argument",
    needs: "maxMessageBytes",
    async run(context) {
      const { broker, topic } = await context.topic();
      const limit = context.features.maxMessageBytes;
      assert.ok(typeof limit === "number");
      const base = message("large", "");
      const largest = { ...base, data: new Uint8Array(limit - sizeOf(base)).fill(7) };
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group("readers"));
      const larger = { ...largest, data: new Uint8Array(largest.data.length + 1) };
      const beside = message("beside");
      await assert.rejects(broker.publish(topic, [beside, larger]), (error) => codeOf(error) === "invalid_argument");
      await broker.publish(topic, [largest]);
      await received.all([largest]);
      assert.deepEqual(received.ids, [largest.id]);
      assert.equal(Buffer.compare(received.deliveries[0]?.message.data ?? new Uint8Array(), largest.data), 0);
    },
  },
  {
    name: "many topics work at once",
    async run(context) {
      const broker = await context.open();
      const topics = Array.from({ length: 8 }, (_, i) => unique(`topic-${i}`));
      await broker.createTopics(topics, { partitions: 1 });
      await Promise.all(
        topics.map(async (topic) => {
          const received = new Received();
          await broker.subscribe(topic, received.handler(), group("many"));
          const sent = messages(10);
          await broker.publish(topic, sent);
          await received.all(sent);
          assert.equal(received.ids.length, 10);
        }),
      );
    },
  },
  {
    name: "creating a topic again changes neither it nor its messages",
    async run(context) {
      const { broker, topic } = await context.topic(2);
      const sent = messages(5);
      await broker.publish(topic, sent);
      await broker.createTopics([topic], { partitions: 7 });
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group("readers"));
      await received.all(sent);
    },
  },
  {
    name: "the retention of a topic can be read",
    async run(context) {
      const broker = await context.open();
      const topic = unique("kept");
      await broker.createTopics([topic], { partitions: 1, retentionMs: 3_600_000 });
      assert.equal(await broker.retentionMs(topic), 3_600_000);
      await assert.rejects(broker.retentionMs(unique("missing")), (error) => codeOf(error) === "not_found");
    },
  },
  {
    name: "an open broker responds to a ping",
    async run(context) {
      await (await context.open()).ping();
    },
  },
];
