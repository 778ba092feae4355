import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { startTelemetry } from "@plumbline/telemetry";
import { gate, message } from "../conformance/test-context.ts";
import { openMemoryBroker } from "../memory/broker.ts";
import { sizeOf } from "../message.ts";

test("a member reports its load and the lag of its group until it leaves", async () => {
  const destination = new Writable({ write: (_chunk, _encoding, done) => done() });
  await using telemetry = startTelemetry({ service: "test", destination });
  await using broker = openMemoryBroker({}, telemetry);
  await broker.createTopics(["events"], { partitions: 1 });
  const read = async () => {
    const { body } = await telemetry.metrics.text();
    const found = body.matchAll(/^(message_\w+)\{topic="events",group="readers"\} (\d+)$/gm);
    return Object.fromEntries([...found].map(([, name, value]) => [name, Number(value)]));
  };

  const open = gate();
  const subscription = await broker.subscribe("events", async () => await open.passed, {
    group: "readers",
    concurrency: 2,
    capacity: 4,
  });
  await broker.publish("events", [message("a"), message("b"), message("c"), message("d"), message("e")]);
  assert.deepEqual(await read(), {
    message_handlers_running: 2,
    message_handlers_limit: 2,
    message_held: 4,
    message_shares: 1,
    message_held_bytes: 4 * sizeOf(message("a")),
    message_held_by_failures: 0,
    message_held_limit: 4,
    message_consumer_lag: 5,
  });
  open.open();
  const limit = AbortSignal.timeout(10_000);
  let last = await read();
  for (; last["message_consumer_lag"] !== 0; last = await read()) limit.throwIfAborted();
  assert.deepEqual([last["message_handlers_running"], last["message_held"]], [0, 0]);

  await subscription[Symbol.asyncDispose]();
  assert.deepEqual(await read(), {});
});
