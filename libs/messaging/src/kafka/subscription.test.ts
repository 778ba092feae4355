/**
 * Tests of a subscription over a client library whose broker does what a real one does only rarely.
 */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { type FakeConsumer, fakeMembers } from "../../test/fake-members.ts";
import type { Handler, SubscribeOptions } from "../broker.ts";
import { eventually, gate, Received } from "../conformance/test-context.ts";
import { createBacklog } from "../consuming/backlog.ts";
import { type KafkaClientName, kafkaClients } from "./options.ts";
import { Subscription, type SubscriptionOptions } from "./subscription.ts";

const topic = "topic";

function subscribeWith(
  client: KafkaClientName,
  handler: Handler,
  options: Partial<SubscriptionOptions> & { made?: (consumer: FakeConsumer) => void } = {},
  more: Partial<SubscribeOptions> = {},
) {
  const consumers: FakeConsumer[] = [];
  const subscribing = { group: "g", concurrency: 2, closeMs: 100, ...more };
  const subscription = new Subscription(topic, subscribing, handler, createBacklog(subscribing), {
    client: {
      member: (wanted, events) =>
        fakeMembers[client](wanted, events, (consumer) => {
          options.made?.(consumer);
          consumers.push(consumer);
        }),
    },
    logger: noTelemetry.logger,
    sessionMs: 1_000,
    maxFetchBytes: 1_000,
    giveUpMs: 60_000,
    onGiveUp: () => undefined,
    topicExists: async () => true,
    ...options,
  });
  const running = async () => {
    await eventually(() => consumers.at(-1)?.runs === true, "a membership");
    return consumers.at(-1) as FakeConsumer;
  };
  return { subscription, consumers, running };
}

for (const client of kafkaClients) {
  const subscribe = (...rest: Parameters<typeof subscribeWith> extends [unknown, ...infer R] ? R : never) =>
    subscribeWith(client, ...rest);
  void describe(`a subscription through ${client}`, () => {
    test("closing during the lookup of the topic ends the subscription", async () => {
      const answer = gate();
      const { subscription, consumers } = subscribe(async () => undefined, {
        topicExists: async () => {
          await answer.passed;
          return true;
        },
      });
      const closed = subscription[Symbol.asyncDispose]();
      answer.open();
      await closed;
      assert.ok(consumers.every((consumer) => consumer.calls.at(-1) === "disconnect"));
    });

    test("closing during the connect disconnects without joining", async () => {
      const connected = gate();
      const { subscription, consumers } = subscribe(async () => undefined, {
        made: (consumer) => {
          consumer.connecting = connected.passed;
        },
      });
      await eventually(() => consumers[0]?.calls[0] === "connect", "a connection");
      const closed = subscription[Symbol.asyncDispose]();
      await new Promise(setImmediate);
      connected.open();
      await closed;
      await new Promise(setImmediate);
      assert.deepEqual(consumers[0]?.calls, ["connect", "disconnect"]);
    });

    test("a partition that was lost while paused is fetched again once it is assigned again", async () => {
      const open = gate();
      const received = new Received();
      const { subscription, running } = subscribe(
        received.handler(async ({ signal }) => {
          await Promise.race([open.passed, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
          signal.throwIfAborted();
        }),
        {},
        { capacity: 2 },
      );
      const consumer = await running();
      consumer.join(0, 1);
      await consumer.deliver(0, [0, 1, 2, 3]);
      assert.equal(await consumer.deliver(0, [4]), false, "its records wait for permits");
      consumer.join(1);
      consumer.join(0, 1);
      assert.ok(await consumer.deliver(0, [0, 1, 2, 3]), "not paused");
      open.open();
      await eventually(() => new Set(received.ids).size === 4, "all records");
      await subscription[Symbol.asyncDispose]();
      assert.equal(consumer.committed.get(0), 4n);
    });

    test("a batch fetched before its partition moved to another member is left to that member", async () => {
      const received = new Received();
      const { subscription, running } = subscribe(received.handler());
      const consumer = await running();
      consumer.join(0, 1);
      await consumer.deliver(0, [0]);
      consumer.join(1);
      await consumer.deliver(0, [5, 6]);
      await consumer.deliver(1, [7]);
      await eventually(() => received.ids.includes("1-7"), "the other partition");
      await subscription[Symbol.asyncDispose]();
      assert.deepEqual(received.ids, ["0-0", "1-7"]);
      assert.notEqual(consumer.committed.get(0), 7n);
    });

    test("a topic that was deleted and created again is handled from its start", async () => {
      const received = new Received();
      const { subscription, running } = subscribe(received.handler());
      const consumer = await running();
      consumer.join(0);
      await consumer.deliver(0, [500, 501], 502);
      await eventually(() => received.ids.length === 2, "the old log");
      await consumer.deliver(0, [0, 1], 2);
      await eventually(() => received.ids.length === 4, "the new log");
      await subscription[Symbol.asyncDispose]();
      assert.equal(consumer.committed.get(0), 2n);
    });

    test("markers of transactions are no lag: the group's position passes them once all before is handled", async () => {
      const open = gate();
      const received = new Received();
      const { subscription, running } = subscribe(received.handler(() => open.passed));
      const consumer = await running();
      consumer.join(0, 1);
      await consumer.deliver(1, [], 2, [0, 1]);
      await eventually(() => consumer.committed.get(1) === 2n, "a position after markers only");
      await consumer.deliver(0, [0], 2, [1]);
      await consumer.deliver(0, [], 4, [2, 3]);
      assert.equal(consumer.committed.get(0), undefined, "a message before the markers is not handled");
      open.open();
      await eventually(() => consumer.committed.get(0) === 4n, "a position after the markers");
      await subscription[Symbol.asyncDispose]();
      assert.deepEqual(received.ids, ["0-0"]);
    });

    test("no batch is fetched again and again while closing waits for handlers", async () => {
      const [started, finish] = [gate(), gate()];
      const { subscription, running } = subscribe(
        async () => {
          started.open();
          await finish.passed;
        },
        {},
        { closeMs: 5_000 },
      );
      const consumer = await running();
      consumer.join(0);
      await consumer.deliver(0, [0]);
      await started.passed;
      const closed = subscription[Symbol.asyncDispose]();
      await new Promise(setImmediate);
      await consumer.deliver(0, [1]);
      assert.equal(await consumer.deliver(0, [1]), false);
      finish.open();
      await closed;
      assert.equal(consumer.committed.get(0), 1n);
    });

    test("a subscription stops if each membership crashes soon after its first contact (#1443)", async () => {
      const failed = Promise.withResolvers<Error>();
      const { subscription, consumers } = subscribe(async () => undefined, {
        giveUpMs: 1_000,
        onGiveUp: failed.resolve,
        made: (consumer) => {
          setImmediate(() => {
            consumer.contact();
            consumer.crash(new Error("a batch that cannot be read"));
          });
        },
      });
      assert.match((await failed.promise).message, /no lasting contact/);
      assert.ok(consumers.length > 1);
      await subscription[Symbol.asyncDispose]();
    });

    test("a membership that is silent without a crash is replaced, even if it cannot be ended", async () => {
      const received = new Received();
      const { subscription, consumers, running } = subscribe(received.handler(), {
        giveUpMs: 4_000,
        made: (consumer) => {
          if (consumers.length === 0) consumer.disconnecting = new Promise(() => undefined);
        },
      });
      await eventually(() => consumers.length > 1, "another membership");
      const consumer = await running();
      consumer.join(0);
      await consumer.deliver(0, [0]);
      await eventually(() => received.ids.length === 1, "a delivery");
      await subscription[Symbol.asyncDispose]();
    });

    test("a failed commit is repeated even if no message follows", async () => {
      const { subscription, running } = subscribe(async () => undefined);
      const consumer = await running();
      consumer.refusedCommits = 1;
      consumer.join(0);
      await consumer.deliver(0, [0]);
      await eventually(() => consumer.committed.get(0) === 1n, "the commit");
      await subscription[Symbol.asyncDispose]();
    });
  });
}
