/** Outages and rebalances: every accepted message is handled. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { describe } from "node:test";
import { sleep } from "@plumbline/concurrency";
import { noTelemetry } from "@plumbline/telemetry";
import { freePort, startKafka, testKafka, whyNoKafka } from "@plumbline/tools-engines";
import { publishUntilAccepted } from "../../test/publish-until-accepted.ts";
import { eventually, message, messages, Received, unique } from "../conformance/test-context.ts";
import { openKafkaBroker } from "./broker.ts";
import { type KafkaClientName, kafkaClients } from "./options.ts";

const skip = whyNoKafka() ?? false;
const group = (name: string) => ({ group: name, concurrency: 8, backoff: { baseMs: 5, maxMs: 50 } });

/** Starts a TCP proxy whose connections a test can cut, restore, or drop silently. */
async function proxy(target: () => number) {
  const sockets = new Set<net.Socket>();
  const forgotten = new WeakSet<net.Socket>();
  const server = net.createServer((inbound) => {
    const outbound = net.connect(target(), "127.0.0.1");
    for (const [socket, other] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.on("data", (chunk) => forgotten.has(socket) || other.write(chunk));
      socket.on("end", () => forgotten.has(socket) || other.end());
    }
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const port = await freePort(); // Outside the range of outgoing connections, one of which could take it.
  await listen(port);
  const cut = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  /**
   * Drops the data of open connections without closing them, like a NAT that lost its table. New
   * connections work.
   */
  const forget = () => {
    for (const socket of sockets) forgotten.add(socket);
  };
  return { port, cut, mend: async () => await listen(port), forget };
}

/** Starts Kafka behind a proxy, and a broker with a subscription of "topic" that works. */
async function openBehindProxy(client: KafkaClientName) {
  await using stack = new AsyncDisposableStack();
  const dataDir = mkdtempSync(join(tmpdir(), "kafka-outage-"));
  stack.defer(() => rmSync(dataDir, { recursive: true, force: true }));
  let target = 0;
  const between = await proxy(() => target);
  stack.defer(async () => await between.cut().catch(() => undefined));
  const listeners = { "advertised.listeners": `PLAINTEXT://127.0.0.1:${between.port}` };
  const kafka = stack.use(await startKafka({ dataDir, settings: listeners }));
  target = kafka.port;
  const brokers = [`127.0.0.1:${between.port}`];
  const options = { client, brokers, clientId: "outage", sessionMs: 6_000 };
  const broker = stack.use(await openKafkaBroker(options, noTelemetry));
  await broker.createTopics(["topic"], { partitions: 3 });
  const received = new Received();
  stack.use(await broker.subscribe("topic", received.handler(), group("g")));
  const before = messages(50);
  await broker.publish("topic", before);
  await received.all(before);
  const moved = stack.move();
  return { between, broker, received, [Symbol.asyncDispose]: async () => await moved.disposeAsync() };
}

// Runs the clients at the same time, because most of it is waiting.
void describe("outages", { concurrency: 2 }, () => {
  for (const client of kafkaClients) {
    void describe(`Kafka through ${client}`, () => {
      test("every message is received soon after a broker is stopped and started again", {
        skip,
      }, async () => {
        const dataDir = mkdtempSync(join(tmpdir(), "kafka-outage-"));
        const settings = { "broker.session.timeout.ms": 2_000, "broker.heartbeat.interval.ms": 500 };
        try {
          const first = await startKafka({ dataDir, settings });
          await using broker = await openKafkaBroker(
            { client, brokers: [first.brokers], clientId: "outage", sessionMs: 6_000 },
            noTelemetry,
          );
          await broker.createTopics(["topic"], { partitions: 3 });
          const received = new Received();
          await using _ = await broker.subscribe("topic", received.handler(), group("g"));
          const sent = messages(300, 20);
          const publishing = (async () => {
            for (const one of sent) {
              await publishUntilAccepted(broker, "topic", [one]);
              await sleep(5);
            }
          })();
          await eventually(() => received.deliveries.length > 20, "some messages");
          await first[Symbol.asyncDispose]();
          await sleep(1_000); // The outage, long enough for every client to notice.
          await using _second = await startKafka({ dataDir, settings, port: first.port });
          const back = performance.now();
          await publishing;
          await received.all(sent);
          assert.ok(performance.now() - back < 30_000);
          await broker.ping();
        } finally {
          rmSync(dataDir, { recursive: true, force: true });
        }
      });

      test("every message is received within 30 s after a broker was unreachable for 30 s", {
        skip,
      }, async () => {
        await using setup = await openBehindProxy(client);
        const { between, broker, received } = setup;
        await between.cut();
        const during = messages(50);
        const publishing = publishUntilAccepted(broker, "topic", during);
        await sleep(30_000);
        await between.mend();
        const back = performance.now();
        await publishing;
        await received.all(during);
        assert.ok(performance.now() - back < 30_000, `took ${Math.round(performance.now() - back)} ms`);
      });

      test("while twenty members join and leave under load, no message is lost and each key is in order", {
        skip,
      }, async () => {
        const brokers = (await testKafka()).split(",");
        const open = async () => await openKafkaBroker({ brokers, clientId: "members", sessionMs: 6_000 }, noTelemetry);
        await using publisher = await open();
        const topic = unique("topic");
        await publisher.createTopics([topic], { partitions: 6 });
        const received = new Received();
        await using _steady = await publisher.subscribe(topic, received.handler(), group("g"));
        const sent = Array.from({ length: 1_000 }, (_, index) => message(`key-${index % 20}`, String(index)));
        const load = { isOn: true };
        const published = (async () => {
          for (const one of sent) {
            await publisher.publish(topic, [one]);
            await sleep(5);
          }
          load.isOn = false;
        })();
        let joins = 0;
        while (load.isOn || joins < 20) {
          await using member = await open();
          await using _ = await member.subscribe(
            topic,
            received.handler(async () => await sleep(1)),
            group("g"),
          );
          await sleep(200);
          joins++;
        }
        await published;
        await received.all(sent);
        assert.ok(joins >= 20);
        for (let key = 0; key < 20; key++) {
          const wanted = sent.filter((one) => one.key === `key-${key}`).map((one) => one.id);
          assert.deepEqual(received.order(`key-${key}`), wanted);
        }
      });

      test("connections that the network dropped silently are replaced within a minute", {
        skip,
      }, async () => {
        await using setup = await openBehindProxy(client);
        const { between, broker, received } = setup;
        between.forget();
        const start = performance.now();
        const after = messages(50);
        await publishUntilAccepted(broker, "topic", after);
        while (!after.every((one) => received.has(one))) {
          assert.ok(performance.now() - start < 60_000, "no message for a minute");
          await sleep(100);
        }
      });
    });
  }
});
