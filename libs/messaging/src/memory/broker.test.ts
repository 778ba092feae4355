import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf } from "@plumbline/errors";
import { group, message, messages, Received } from "../conformance/test-context.ts";
import { conformance } from "../conformance.ts";
import { openMemoryBroker } from "./broker.ts";
import { MemoryLog } from "./log.ts";

const log = new MemoryLog();

conformance(
  "memory",
  {
    ordered: true,
    persistent: true, // Across all brokers on one log, as the cases require.
    maxMessageBytes: 100_000,
    breakConnections: { off: "memory has no connection to break" },
  },
  async () => openMemoryBroker({ log, maxMessageBytes: 100_000 }),
);

test("a full partition drops messages that every group has handled, and otherwise rejects", async () => {
  await using broker = openMemoryBroker({ log: new MemoryLog({ maxPerPartition: 10 }) });
  await broker.createTopics(["small"], { partitions: 1 });
  const received = new Received();
  let poisoned = false;
  await broker.subscribe(
    "small",
    async (delivery) => {
      if (poisoned) throw new Error("not now");
      await received.handler()(delivery);
    },
    group("readers"),
  );
  for (let round = 0; round < 5; round++) {
    const sent = messages(10);
    await broker.publish("small", sent);
    await received.all(sent);
  }
  poisoned = true;
  await broker.publish("small", messages(10));
  await assert.rejects(broker.publish("small", [message("a")]), (error) => codeOf(error) === "resource_exhausted");
  poisoned = false;
});

test("a change of the publisher's buffer after the publish does not change the message", async () => {
  await using broker = openMemoryBroker();
  await broker.createTopics(["copied"], { partitions: 1 });
  const sent = { ...message("a"), data: Uint8Array.of(1, 2, 3) };
  await broker.publish("copied", [sent]);
  sent.data.fill(0);
  const received = new Received();
  await broker.subscribe("copied", received.handler(), group("readers"));
  await received.all([sent]);
  assert.deepEqual([...(received.deliveries[0]?.message.data ?? [])], [1, 2, 3]);
});
