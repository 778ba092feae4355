import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { type Broker, compose, type Handler, type Publisher } from "../broker.ts";
import { eventually, group, message, Received, unique } from "../conformance/test-context.ts";
import { openMemoryBroker } from "../memory/broker.ts";
import { MemoryLog } from "../memory/log.ts";
import { subscribeWithRetries } from "../subscribe-with-retries.ts";
import { deadTopic, retryAndDeadLetterTopics } from "../topics.ts";
import { deadLettered } from "./dead-lettered.ts";
import { AttemptsExhaustedError, retried } from "./retried.ts";
import { retriedLater } from "./retried-later.ts";

const retries = { attempts: 3, baseMs: 1, maxMs: 2 };

async function openTopic(delaysMs: readonly number[] = []): Promise<{ broker: Broker; topic: string }> {
  const broker = openMemoryBroker({ maxMessageBytes: 2_000 });
  const topic = unique("topic");
  await broker.createTopics([topic, ...retryAndDeadLetterTopics(topic, "workers", delaysMs)], { partitions: 2 });
  return { broker, topic };
}

async function readAll(broker: Broker, topic: string): Promise<Received> {
  const received = new Received();
  await broker.subscribe(topic, received.handler(), group(unique("reader")));
  return received;
}

describe("compose", () => {
  test("the first middleware sees a delivery first and its outcome last", async () => {
    const seen: string[] = [];
    const layer =
      (name: string) =>
      (next: Handler): Handler =>
      async (delivery) => {
        seen.push(`${name} in`);
        await next(delivery);
        seen.push(`${name} out`);
      };
    const handler = compose([layer("a"), layer("b")], async () => void seen.push("handler"));
    await handler({ topic: "t", group: "g", message: message("a"), attempt: 1, signal: new AbortController().signal });
    assert.deepEqual(seen, ["a in", "b in", "handler", "b out", "a out"]);
  });
});

describe("retried", () => {
  const deliver = (handler: Handler, signal = new AbortController().signal) =>
    retried(retries)(handler)({ topic: "t", group: "g", message: message("a"), attempt: 1, signal });

  test("retries in place and counts the attempts", async () => {
    const attempts: number[] = [];
    await deliver(async ({ attempt }) => {
      attempts.push(attempt);
      if (attempt < 3) throw new Error("not yet");
    });
    assert.deepEqual(attempts, [1, 2, 3]);
  });

  test("fails after its attempts with the last error as the cause", async () => {
    const cause = new Error("always");
    await assert.rejects(
      deliver(async () => Promise.reject(cause)),
      (error) => error instanceof AttemptsExhaustedError && error.attempts === 3 && error.cause === cause,
    );
  });

  test("does not retry a permanent error", async () => {
    let calls = 0;
    const handler = async (): Promise<void> => {
      calls++;
      throw new ServiceError("invalid_argument", "cannot be decoded");
    };
    await assert.rejects(deliver(handler), AttemptsExhaustedError);
    assert.equal(calls, 1);
  });

  test("stops when the delivery is aborted, and does not report exhausted attempts", async () => {
    const abort = new AbortController();
    let calls = 0;
    const handler = async (): Promise<void> => {
      calls++;
      abort.abort(new Error("partition lost"));
      throw new Error("failed");
    };
    await assert.rejects(deliver(handler, abort.signal), /partition lost/);
    assert.equal(calls, 1);
  });
});

describe("dead letters", () => {
  test("a dead letter keeps its id and headers and gains the error and the attempts, and its key continues", async () => {
    const { broker, topic } = await openTopic();
    await using _ = broker;
    const received = new Received();
    const handler = received.handler(({ message: { headers } }) => {
      if ("x-poison" in headers) throw new ServiceError("unavailable", "the supplier\n  is down");
    });
    await broker.subscribe(
      topic,
      compose([deadLettered(broker, noTelemetry), retried(retries)], handler),
      group("workers"),
    );
    const poison = { ...message("a"), headers: { traceparent: "00-trace", "x-poison": "1" } };
    const next = message("a");
    await broker.publish(topic, [poison, next]);
    await received.all([next]);

    const dead = await readAll(broker, deadTopic(topic, "workers"));
    await dead.all([poison]);
    const { headers, ...rest } = dead.deliveries[0]!.message;
    assert.deepEqual(
      { ...rest, headers: undefined, data: [...rest.data] },
      { ...poison, headers: undefined, data: [...poison.data] },
    );
    const { "plumbline-failed-at": time, ...others } = headers;
    assert.ok(Date.parse(time ?? "") > 0);
    assert.deepEqual(others, {
      ...poison.headers,
      "plumbline-topic": topic,
      "plumbline-group": "workers",
      "plumbline-attempts": "3",
      "plumbline-error-code": "unavailable",
      "plumbline-error": "ServiceError: the supplier is down",
    });
  });

  test("a message at the size limit fits its dead-letter topic", async () => {
    const { broker, topic } = await openTopic();
    await using _ = broker;
    const large = { ...message("a"), data: new Uint8Array(1_850) };
    const layers = [deadLettered(broker, noTelemetry)];
    await broker.subscribe(
      topic,
      compose(layers, async () => Promise.reject(new Error("x".repeat(5_000)))),
      group("workers"),
    );
    await broker.publish(topic, [large]);
    const dead = await readAll(broker, deadTopic(topic, "workers"));
    await dead.all([large]);
  });

  test("a message over the limit of size leaves its first bytes in the dead letters, and its key continues", async () => {
    const log = new MemoryLog();
    await using strangers = openMemoryBroker({ log });
    await using broker = openMemoryBroker({ log, maxMessageBytes: 2_000 });
    const topic = unique("topic");
    await broker.createTopics([topic, ...retryAndDeadLetterTopics(topic, "workers", [50])], { partitions: 1 });
    const received = new Received();
    const handler = received.handler(({ message: { data } }) => {
      if (data.byteLength > 10) throw new Error("too much");
    });
    const options = { ...group("workers"), retries, retryDelaysMs: [50] };
    await subscribeWithRetries(broker, topic, handler, noTelemetry, options);
    const large = { ...message("a"), data: new Uint8Array(5_000).fill(7), headers: { "x-large": "x".repeat(5_000) } };
    const next = message("a");
    await strangers.publish(topic, [large, next]);
    await received.all([next]);
    const dead = await readAll(broker, deadTopic(topic, "workers"));
    await dead.all([large]);
    const { data, headers, key, id } = dead.deliveries[0]!.message;
    assert.deepEqual([key, id], ["a", large.id]);
    assert.deepEqual([...data], [...new Uint8Array(1_024).fill(7)]);
    assert.equal(headers["plumbline-cut-from-bytes"], "5000");
    assert.equal(headers["plumbline-error"], "Error: too much");
    assert.ok(!("x-large" in headers));
  });

  test("nothing is acknowledged while the dead-letter topic cannot be written", async () => {
    const broker = openMemoryBroker();
    await using _ = broker;
    const topic = unique("topic");
    await broker.createTopics([topic], { partitions: 1 });
    let calls = 0;
    const failing = compose([deadLettered(broker, noTelemetry)], async () => {
      calls++;
      throw new Error("always");
    });
    const subscription = await broker.subscribe(topic, failing, group("workers"));
    const poison = message("a");
    await broker.publish(topic, [poison]);
    await eventually(() => calls >= 3, "redeliveries");
    await subscription[Symbol.asyncDispose]();
    const received = new Received();
    await broker.subscribe(topic, received.handler(), group("workers"));
    await received.all([poison]);
  });

  test("an aborted delivery is neither dead-lettered nor retried later", async () => {
    const published: string[] = [];
    // Accepts every publish, even if the signal has aborted.
    const publisher: Publisher = { publish: async (topic) => void published.push(topic) };
    for (const layer of [deadLettered(publisher, noTelemetry), retriedLater(publisher, noTelemetry, [1_000])]) {
      const abort = new AbortController();
      const handler = layer(async () => {
        abort.abort();
        throw new Error("the partition was lost");
      });
      const delivery = { topic: "t", group: "g", message: message("a"), attempt: 1, signal: abort.signal };
      await assert.rejects(handler(delivery), /the partition was lost/);
    }
    assert.deepEqual(published, []);
  });
});

describe("retry topics", () => {
  const delaysMs = [30, 60];

  test("a message is retried after each delay, never before it is due, and is then dead-lettered", async () => {
    const { broker, topic } = await openTopic(delaysMs);
    await using _ = broker;
    const times: number[] = [];
    const handler: Handler = async () => {
      times.push(performance.now());
      throw new Error("always");
    };
    const options = { ...group("workers"), retries: { ...retries, attempts: 1 }, retryDelaysMs: delaysMs };
    await subscribeWithRetries(broker, topic, handler, noTelemetry, options);
    const dead = await readAll(broker, deadTopic(topic, "workers"));
    const sent = message("a");
    await broker.publish(topic, [sent]);
    await dead.all([sent]);
    assert.equal(dead.deliveries[0]?.message.headers["plumbline-attempts"], "3");
    assert.equal(dead.deliveries[0]?.message.headers["plumbline-topic"], topic);
    const [first = 0, second = 0, third = 0] = times;
    assert.equal(times.length, 3);
    // A millisecond of slack, because the due time is in whole milliseconds.
    assert.ok(second - first >= 29 && third - second >= 59, times.join());
  });

  test("later messages of a key are handled while an earlier one waits for its retry", async () => {
    const { broker, topic } = await openTopic([60_000]);
    await using _ = broker;
    const received = new Received();
    const [poison, next] = [message("a"), message("a")];
    const handler = received.handler((delivery) => {
      if (delivery.message.id === poison.id) throw new Error("later");
    });
    const options = { ...group("workers"), retries, retryDelaysMs: [60_000] };
    const subscription = await subscribeWithRetries(broker, topic, handler, noTelemetry, options);
    await broker.publish(topic, [poison, next]);
    await received.all([next]);
    // Closing does not wait a minute, because a message that is not due holds no slot.
    await subscription[Symbol.asyncDispose]();
  });

  test("a message that fails permanently is dead-lettered at once", async () => {
    const { broker, topic } = await openTopic([60_000]);
    await using _ = broker;
    const handler: Handler = async () => Promise.reject(new ServiceError("data_loss", "cannot be decoded"));
    const options = { ...group("workers"), retries, retryDelaysMs: [60_000] };
    await subscribeWithRetries(broker, topic, handler, noTelemetry, options);
    const dead = await readAll(broker, deadTopic(topic, "workers"));
    const sent = message("a");
    await broker.publish(topic, [sent]);
    await dead.all([sent]);
    assert.equal(dead.deliveries[0]?.message.headers["plumbline-attempts"], "1");
  });
});
