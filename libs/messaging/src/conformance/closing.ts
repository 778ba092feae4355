import assert from "node:assert/strict";
import { codeOf } from "@plumbline/errors";
import type { Broker } from "../broker.ts";
import type { Case } from "./test-context.ts";
import { eventually, gate, group, message, messages, Received } from "./test-context.ts";

/** The cases of leaving a group, closing and reconnecting. */
export const closingCases: readonly Case[] = [
  {
    name: "closing a subscription waits for the running handler, and its acknowledgement counts",
    async run(context) {
      const { broker, topic } = await context.topic();
      const [started, finish] = [gate(), gate()];
      const received = new Received();
      const subscription = await broker.subscribe(
        topic,
        received.handler(async () => {
          started.open();
          await finish.passed;
        }),
        group("leaving"),
      );
      const sent = message("a");
      await broker.publish(topic, [sent]);
      await started.passed;
      let closed = false;
      const closing = subscription[Symbol.asyncDispose]().then(() => (closed = true));
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(closed, false);
      finish.open();
      await closing;
      assert.ok(received.has(sent));

      const next = new Received();
      const marker = message("a", "marker");
      await broker.subscribe(topic, next.handler(), group("leaving"));
      await broker.publish(topic, [marker]);
      await next.all([marker]);
      assert.deepEqual(next.ids, [marker.id]);
    },
  },
  {
    name: "closing aborts the signal at its time limit, and a handler that returns later acknowledges nothing",
    async run(context) {
      const { broker, topic } = await context.topic();
      const [started, stuck, returned] = [gate(), gate(), gate()];
      let signal: AbortSignal | undefined;
      const subscription = await broker.subscribe(
        topic,
        async (delivery) => {
          signal = delivery.signal;
          started.open();
          await stuck.passed;
          returned.open();
        },
        group("stuck", { closeMs: 30 }),
      );
      const sent = message("a");
      await broker.publish(topic, [sent]);
      await started.passed;
      await subscription[Symbol.asyncDispose]();
      assert.equal(signal?.aborted, true);
      stuck.open();
      await returned.passed;
      await new Promise((resolve) => setImmediate(resolve));
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group("stuck"));
      await received.all([sent]);
    },
  },
  {
    name: "closing a broker closes its subscriptions, and nothing is delivered afterwards",
    async run(context) {
      const { broker, topic } = await context.topic();
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group("closing"));
      const first = message("a");
      await broker.publish(topic, [first]);
      await received.all([first]);
      await broker[Symbol.asyncDispose]();
      const other = await context.open();
      const later = message("a", "later");
      await other.publish(topic, [later]);
      const next = new Received();
      await other.subscribe(topic, next.handler(), group("closing"));
      await next.all([later]);
      assert.deepEqual(received.ids, [first.id]);
    },
  },
  {
    name: "a closed broker rejects every call, and closing it again does nothing",
    async run(context) {
      const { broker, topic } = await context.topic();
      await broker[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
      const calls: Record<string, (broker: Broker) => Promise<unknown>> = {
        publish: (b) => b.publish(topic, [message("a")]),
        subscribe: (b) => b.subscribe(topic, async () => undefined, group("closed")),
        ping: (b) => b.ping(),
        createTopics: (b) => b.createTopics([topic], { partitions: 1 }),
        retentionMs: (b) => b.retentionMs(topic),
      };
      for (const [name, call] of Object.entries(calls)) {
        await assert.rejects(call(broker), (error) => {
          assert.equal(codeOf(error), "failed_precondition", name);
          return true;
        });
      }
    },
  },
  {
    name: "a member that leaves does not stop its group, and the others receive the messages it held",
    async run(context) {
      const { broker, topic } = await context.topic();
      const other = await context.open();
      const received = new Received();
      const leaving = await broker.subscribe(topic, received.handler(), group("team"));
      await other.subscribe(topic, received.handler(), group("team"));
      const sent: ReturnType<typeof messages> = [];
      for (let round = 0; round < 6; round++) {
        const batch = messages(20, 10);
        sent.push(...batch);
        await broker.publish(topic, batch);
        if (round === 2) await leaving[Symbol.asyncDispose]();
      }
      await received.all(sent);
    },
  },
  {
    name: "messages and acknowledgements survive a close and a reopen",
    needs: "persistent",
    async run(context) {
      const { broker, topic } = await context.topic();
      const received = new Received();
      const subscription = await broker.subscribe(topic, received.handler(), group("lasting"));
      const handled = messages(20);
      await broker.publish(topic, handled);
      await received.all(handled);
      await subscription[Symbol.asyncDispose]();
      const waiting = messages(20);
      await broker.publish(topic, waiting);
      await broker[Symbol.asyncDispose]();

      const again = new Received();
      await (await context.open()).subscribe(topic, again.handler(), group("lasting"));
      await again.all(waiting);
      assert.deepEqual(again.ids.toSorted(), waiting.map((m) => m.id).toSorted());
    },
  },
  {
    name: "a broken connection resumes: what was published before, during and after is delivered",
    needs: "breakConnections",
    async run(context) {
      const { broker, topic } = await context.topic();
      const { breakConnections } = context.features;
      assert.ok(typeof breakConnections === "function");
      const received = new Received();
      await broker.subscribe(topic, received.handler(), group("resuming"));
      const sent = messages(10);
      await broker.publish(topic, sent);
      await received.all(sent);
      await breakConnections();
      const more = messages(10);
      for (const one of more) {
        let accepted = false;
        void (async () => {
          while (!accepted)
            accepted = await broker.publish(topic, [one]).then(
              () => true,
              () => false,
            );
        })();
        await eventually(() => accepted, "the publisher to come back");
      }
      await received.all(more);
    },
  },
];
