import assert from "node:assert/strict";
import test from "node:test";
import { gate, message } from "../conformance/test-context.ts";
import type { OutgoingRecord } from "./client.ts";
import { PublishQueue } from "./publish.ts";

const onePartition = async () => 1;

/** Returns a client whose sends wait until `answer` opens. */
function slowClient() {
  const sent: string[][] = [];
  const asked = gate();
  const answer = gate();
  const send = async (_topic: string, records: readonly OutgoingRecord[]) => {
    sent.push(records.map(({ value }) => String(value)));
    asked.open();
    await answer.passed;
  };
  return { sent, asked, answer, client: { send } };
}

test("a publish aborted while it waits is not sent, and the next one is", async () => {
  const { sent, asked, answer, client } = slowClient();
  const queue = new PublishQueue(client, onePartition);
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

test("messages published while a request is in flight share the next request", async () => {
  const { sent, asked, answer, client } = slowClient();
  const queue = new PublishQueue(client, onePartition);
  const first = queue.send("topic", [message("key", "a")]);
  await asked.passed;
  const others = ["b", "c"].map((text) => queue.send("topic", [message("key", text)]));
  answer.open();
  await Promise.all([first, ...others]);
  assert.deepEqual(sent, [["a"], ["b", "c"]]);
});

test("a message that the broker rejects fails its own publish, not those sent with it", async () => {
  const sent: string[] = [];
  const send = async (_topic: string, records: readonly OutgoingRecord[]) => {
    const texts = records.map(({ value }) => String(value));
    if (texts.includes("large")) throw Object.assign(new Error("too large"), { type: "MESSAGE_TOO_LARGE" });
    sent.push(...texts);
  };
  const queue = new PublishQueue({ send }, onePartition);
  const outcomes = await Promise.allSettled(
    ["first", "a", "large", "b"].map((text) => queue.send("topic", [message("key", text)])),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(sent, ["first", "a", "b"]);
});

test("messages are sent in the order of publishing, also before the topic's partitions are known", async () => {
  const { sent, answer, client } = slowClient();
  answer.open();
  const asked: string[] = [];
  const known = gate();
  const queue = new PublishQueue(client, async (topic) => {
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

test("a missing topic fails its own publishes and no others", async () => {
  const { sent, answer, client } = slowClient();
  answer.open();
  const queue = new PublishQueue(client, async (topic) => {
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

test("a message published at the moment the last request ends is sent too", async () => {
  for (let ticks = 0; ticks < 10; ticks++) {
    const { sent, answer, client } = slowClient();
    const queue = new PublishQueue(client, onePartition);
    const first = queue.send("topic", [message("key", "first")]);
    answer.open();
    await first;
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    void queue.send("topic", [message("key", "second")]);
    await queue.idle();
    assert.deepEqual(sent, [["first"], ["second"]], `after ${ticks} ticks`);
  }
});
