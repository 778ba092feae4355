import assert from "node:assert/strict";
import test from "node:test";
import type { Producer, ProducerRecord } from "kafkajs";
import { gate, message } from "../conformance/test-context.ts";
import { PublishQueue } from "./publish.ts";

const onePartition = async () => 1;

function slowProducer() {
  const sent: string[][] = [];
  const asked = gate();
  const answer = gate();
  const send = async ({ messages }: ProducerRecord) => {
    sent.push(messages.map(({ value }) => String(value)));
    asked.open();
    await answer.passed;
    return [];
  };
  return { sent, asked, answer, producer: { send } as unknown as Producer };
}

test("what is aborted while it waits is not sent, and what waits behind it is", async () => {
  const { sent, asked, answer, producer } = slowProducer();
  const queue = new PublishQueue(producer, onePartition);
  const caller = new AbortController();
  const first = queue.send("topic", [message("key", "first")]);
  await asked.passed;
  const aborted = queue.send("topic", [message("key", "aborted")], { signal: caller.signal });
  const last = queue.send("topic", [message("key", "last")]);
  const outcome = assert.rejects(aborted, { name: "AbortError" });
  caller.abort();
  answer.open();
  await Promise.all([first, last, outcome]);
  assert.deepEqual(sent, [["first"], ["last"]]);
});

test("what is published while a request is on its way goes as one request", async () => {
  const { sent, asked, answer, producer } = slowProducer();
  const queue = new PublishQueue(producer, onePartition);
  const first = queue.send("topic", [message("key", "a")]);
  await asked.passed;
  const others = ["b", "c"].map((text) => queue.send("topic", [message("key", text)]));
  answer.open();
  await Promise.all([first, ...others]);
  assert.deepEqual(sent, [["a"], ["b", "c"]]);
});

test("a message the broker refuses fails its own call, not those that went with it", async () => {
  const sent: string[] = [];
  const send = async ({ messages }: ProducerRecord) => {
    const texts = messages.map(({ value }) => String(value));
    if (texts.includes("large")) throw Object.assign(new Error("too large"), { type: "MESSAGE_TOO_LARGE" });
    sent.push(...texts);
    return [];
  };
  const queue = new PublishQueue({ send } as unknown as Producer, onePartition);
  const outcomes = await Promise.allSettled(
    ["first", "a", "large", "b"].map((text) => queue.send("topic", [message("key", text)])),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(sent, ["first", "a", "b"]);
});

test("what is published first is sent first, also when its topic's partitions are not known yet", async () => {
  const { sent, answer, producer } = slowProducer();
  answer.open();
  const asked: string[] = [];
  const known = gate();
  const queue = new PublishQueue(producer, async (topic) => {
    asked.push(topic);
    if (asked.length === 1) await known.passed;
    return 1;
  });
  const all = ["a", "b", "c"].map((text) => queue.send("topic", [message("key", text)]));
  known.open();
  await Promise.all(all);
  assert.deepEqual(sent, [["a", "b", "c"]]);
  assert.deepEqual(asked, ["topic"]);
});

test("a topic whose partitions cannot be learned fails what goes to it, and nothing else", async () => {
  const { sent, answer, producer } = slowProducer();
  answer.open();
  const queue = new PublishQueue(producer, async (topic) => {
    if (topic === "missing") throw new Error("no such topic");
    return 1;
  });
  const outcomes = await Promise.allSettled(
    ["topic", "missing", "missing", "topic"].map((topic, index) => queue.send(topic, [message("key", `${index}`)])),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected", "rejected", "fulfilled"],
  );
  assert.deepEqual(sent, [["0"], ["3"]]);
});

test("what is published in the moment the last request ends is sent too", async () => {
  for (let ticks = 0; ticks < 10; ticks++) {
    const { sent, answer, producer } = slowProducer();
    const queue = new PublishQueue(producer, onePartition);
    const first = queue.send("topic", [message("key", "first")]);
    answer.open();
    await first;
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    void queue.send("topic", [message("key", "second")]);
    await queue.idle();
    assert.deepEqual(sent, [["first"], ["second"]], `after ${ticks} ticks`);
  }
});
