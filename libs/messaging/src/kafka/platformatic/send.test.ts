import assert from "node:assert/strict";
import test from "node:test";
import { MultipleErrors, NetworkError, type Producer, ResponseError } from "@platformatic/kafka";
import type { OutgoingRecord } from "../client.ts";
import { createSender } from "./send.ts";

type Sent = { readonly partition: number; readonly value: Buffer }[];
const notLeader = 6;
const produceApi = 0;
const base = { clientId: "test", bootstrapBrokers: ["127.0.0.1:1"] };
const record = (partition: number, text: string): OutgoingRecord => ({
  partition,
  key: "key",
  value: Buffer.from(text),
  headers: {},
});

/**
 * Creates a sender whose producer throws these errors, one for each send, and then stores
 * everything.
 */
function senderOver(...errors: Error[]) {
  const sends: string[][] = [];
  const producer = {
    async send({ messages }: { messages: Sent }) {
      sends.push(messages.map(({ partition, value }) => `${partition}:${value.toString()}`));
      const error = errors.shift();
      if (error !== undefined) throw error;
    },
    clearMetadata: () => undefined,
    close: async () => undefined,
  };
  const create = () => producer as unknown as Producer<string, Buffer, string, string>;
  const sender = createSender(base, () => 0, create);
  return { sends, sender };
}

function refusal(...partitions: readonly (readonly [index: number, errorCode: number])[]): ResponseError {
  const partitionResponses = partitions.map(([index, errorCode]) => ({ index, errorCode }));
  const failed = partitionResponses.filter(({ errorCode }) => errorCode !== 0);
  const errors = Object.fromEntries(failed.map(({ index, errorCode }) => [`/${index}`, [errorCode, null]]));
  return new ResponseError(produceApi, 11, errors as never, { responses: [{ name: "topic", partitionResponses }] });
}

test("a send that one partition rejects is repeated for that partition only", async () => {
  const { sends, sender } = senderOver(refusal([0, 0], [1, notLeader]), refusal([1, notLeader]));
  await sender.send("topic", [record(0, "a"), record(1, "b"), record(1, "c")]);
  assert.deepEqual(sends, [
    ["0:a", "1:b", "1:c"],
    ["1:b", "1:c"],
    ["1:b", "1:c"],
  ]);
});

test("a send that one of two brokers does not confirm is repeated for its partitions only", async () => {
  const lost = new MultipleErrors("Producing messages failed.", [new NetworkError("Connection closed")]);
  const error = Object.assign(lost, { produced: { offsets: [{ topic: "topic", partition: 0, offset: 7n }] } });
  const { sends, sender } = senderOver(error);
  await sender.send("topic", [record(0, "a"), record(1, "b")]);
  assert.deepEqual(sends, [["0:a", "1:b"], ["1:b"]]);
});

test("a send that the broker rejects for good is not repeated", async () => {
  const messageTooLarge = 10;
  const { sends, sender } = senderOver(refusal([0, messageTooLarge]));
  await assert.rejects(sender.send("topic", [record(0, "a")]), ResponseError);
  assert.equal(sends.length, 1);
});

test("a send without a response fails after some attempts", async () => {
  const { sends, sender } = senderOver(...Array.from({ length: 20 }, () => new NetworkError("Connection closed")));
  await assert.rejects(sender.send("topic", [record(0, "a")]), NetworkError);
  assert.ok(sends.length > 1 && sends.length < 20, `${sends.length} attempts`);
});
