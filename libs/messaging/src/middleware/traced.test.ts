import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { startTelemetry, type Telemetry } from "@plumbline/telemetry";
import { recording } from "../../test/recording.ts";
import type { Handler } from "../broker.ts";
import { message } from "../conformance/test-context.ts";
import { openMemoryBroker } from "../memory/broker.ts";
import type { Message } from "../message.ts";
import { subscribeWithRetries } from "../subscribe-with-retries.ts";
import { retryAndDeadLetterTopics } from "../topics.ts";
import { traced } from "./traced.ts";

const quiet = (): Telemetry =>
  startTelemetry({ service: "test", destination: new Writable({ write: (_chunk, _encoding, done) => done() }) });

const deliver = (telemetry: Telemetry, handler: Handler, headers: Record<string, string> = {}): Promise<void> =>
  traced(telemetry)(handler)({
    topic: "orders.events",
    group: "worker",
    message: { ...message("a"), headers },
    attempt: 1,
    signal: new AbortController().signal,
  });

test("the handler runs in the trace of the message's headers", async () => {
  await using telemetry = quiet();
  let trace: string | undefined;
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  await deliver(telemetry, async () => void (trace = telemetry.tracer.current()?.traceId), {
    traceparent: `00-${traceId}-b7ad6b7169203331-01`,
  });
  assert.equal(trace, traceId);
});

test("a failed message continues its trace through the retry topic to the dead-letter topic", async () => {
  const telemetry = recording();
  const broker = openMemoryBroker();
  const topics = ["events", ...retryAndDeadLetterTopics("events", "readers", [1])];
  await broker.createTopics(topics, { partitions: 1 });
  const options = {
    group: "readers",
    concurrency: 1,
    retryDelaysMs: [1],
    retries: { attempts: 1, baseMs: 1, maxMs: 1 },
  };
  const failing = async () => Promise.reject(new Error("failed"));
  await subscribeWithRetries(broker, "events", failing, telemetry, options);
  const dead = Promise.withResolvers<Message>();
  await broker.subscribe(
    "events.readers.dead",
    async (delivery) => {
      dead.resolve(delivery.message);
    },
    { group: "operator", concurrency: 1 },
  );
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  await broker.publish("events", [{ ...message("a"), headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } }]);
  const { headers } = await dead.promise;
  await broker[Symbol.asyncDispose]();
  await telemetry[Symbol.asyncDispose]();

  let above = "b7ad6b7169203331";
  for (const name of [
    "process events",
    "publish events.readers.retry.1ms",
    "process events.readers.retry.1ms",
    "publish events.readers.dead",
  ]) {
    const span = telemetry.spans.find((one) => one.name === name);
    assert.deepEqual([span?.traceId, span?.parent], [traceId, above], name);
    above = span?.spanId ?? "";
  }
  assert.equal(headers["traceparent"], `00-${traceId}-${above}-01`);
});

test("each delivery is timed by topic, group and outcome, and a failure still rejects", async () => {
  await using telemetry = quiet();
  await deliver(telemetry, async () => undefined);
  await assert.rejects(
    deliver(telemetry, async () => Promise.reject(new Error("failed"))),
    /failed/,
  );
  const { body } = await telemetry.metrics.text();
  for (const outcome of ["ok", "error"]) {
    const line = body
      .split("\n")
      .find((l) => l.startsWith("message_process_duration_seconds_count") && l.includes(`outcome="${outcome}"`));
    assert.match(line ?? "", /topic="orders.events".* 1$/);
    assert.match(line ?? "", /group="worker"/);
  }
});
