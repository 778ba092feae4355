import assert from "node:assert/strict";
import test from "node:test";
import type { Producer, ProducerRecord } from "kafkajs";
import { gate, message } from "../conformance/world.ts";
import { Sender } from "./sender.ts";

function slowProducer() {
  const sent: string[][] = [];
  const answer = gate();
  const send = async ({ messages }: ProducerRecord) => {
    sent.push(messages.map(({ value }) => String(value)));
    await answer.passed;
    return [];
  };
  return { sent, answer, producer: { send } as unknown as Producer };
}

test("what is aborted while it waits is not sent, and what waits behind it is", async () => {
  const { sent, answer, producer } = slowProducer();
  const sender = new Sender(producer);
  const caller = new AbortController();
  const first = sender.send("topic", [message("key", "first")], () => 0);
  const aborted = sender.send("topic", [message("key", "aborted")], () => 0, { signal: caller.signal });
  const last = sender.send("topic", [message("key", "last")], () => 0);
  const outcome = assert.rejects(aborted, { name: "AbortError" });
  caller.abort();
  answer.open();
  await Promise.all([first, last, outcome]);
  assert.deepEqual(sent, [["first"], ["last"]]);
});

test("what is published while a request is on its way goes as one request", async () => {
  const { sent, answer, producer } = slowProducer();
  const sender = new Sender(producer);
  const all = ["a", "b", "c"].map((text) => sender.send("topic", [message("key", text)], () => 0));
  answer.open();
  await Promise.all(all);
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
  const sender = new Sender({ send } as unknown as Producer);
  const outcomes = await Promise.allSettled(
    ["first", "a", "large", "b"].map((text) => sender.send("topic", [message("key", text)], () => 0)),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(sent, ["first", "a", "b"]);
});
