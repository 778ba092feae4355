/** Batches that cannot be read, from a foreign producer to the dead letters of a group. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { Producer, stringSerializers } from "@platformatic/kafka";
import { noTelemetry } from "@plumbline/telemetry";
import { testKafka, whyNoKafka } from "@plumbline/tools-engines";
import { message, Received, unique } from "../conformance/test-context.ts";
import { subscribeWithRetries } from "../subscribe-with-retries.ts";
import { deadTopic, retryAndDeadLetterTopics } from "../topics.ts";
import { openKafkaBroker } from "./broker.ts";
import { kafkaClients } from "./options.ts";

const skip = whyNoKafka() ?? false;
const compressions = ["gzip", "snappy", "lz4", "zstd"] as const;

for (const client of kafkaClients) {
  void describe(`Kafka through ${client}`, () => {
    test("batches that inflate beyond the bound leave their place in the dead letters, and the partition goes on", {
      skip,
    }, async () => {
      const brokers = (await testKafka()).split(",");
      await using broker = await openKafkaBroker({ client, brokers, clientId: "bombs", sessionMs: 6_000 }, noTelemetry);
      const topic = unique("topic");
      await broker.createTopics([topic, ...retryAndDeadLetterTopics(topic, "workers")], { partitions: 1 });
      const [first, last] = [message("a", "first"), message("a", "last")];
      await broker.publish(topic, [first]);
      const producer = new Producer({
        clientId: "stranger",
        bootstrapBrokers: brokers,
        serializers: stringSerializers,
      });
      const value = "\0".repeat(1_000_000);
      for (const compression of compressions) {
        const messages = Array.from({ length: 9 }, () => ({ topic, partition: 0, key: "bomb", value }));
        await producer.send({ messages, compression });
      }
      await producer.close();
      await broker.publish(topic, [last]);

      const received = new Received();
      const options = { group: "workers", concurrency: 2, retries: { attempts: 2, baseMs: 1, maxMs: 2 } };
      await subscribeWithRetries(broker, topic, received.handler(), noTelemetry, options);
      const dead = new Received();
      await broker.subscribe(deadTopic(topic, "workers"), dead.handler(), { group: "reader", concurrency: 1 });
      await received.all([first, last]);
      assert.deepEqual(received.ids, [first.id, last.id]);

      const places = compressions.map((name, index) => [name, `0-${9 * index + 9}`] as const);
      await dead.all(places.map(([, id]) => ({ ...message(""), id })));
      for (const [name, id] of places) {
        const letter = dead.deliveries.find((one) => one.message.id === id)?.message ?? assert.fail(id);
        const { headers } = letter;
        const error = new RegExp(
          `offsets \\d+-${id.slice(2)}, \\d+ bytes, ${name}: it inflates to more than 8388608 bytes`,
        );
        assert.match(headers["plumbline-error"] ?? "", error);
        assert.equal(headers["plumbline-error-code"], "data_loss");
        assert.equal(headers["plumbline-attempts"], "1");
        assert.ok(letter.data.byteLength > 100 && letter.data.byteLength <= 1_024);
      }
    });
  });
}
