import assert from "node:assert/strict";
import test from "node:test";
import type { KafkaMessage } from "kafkajs";
import { message } from "../conformance/test-context.ts";
import { toMessage, toRecord } from "./cloud-events.ts";

const record = (fields: Partial<KafkaMessage>) =>
  ({ offset: "7", timestamp: "1000", key: null, value: null, attributes: 0, ...fields }) as KafkaMessage;

test("a record is kept for the retention from its sending, whatever the event's own time", () => {
  const old = { ...message("key"), time: new Date(0) };
  assert.equal(toRecord(old, 0).timestamp, undefined);
  assert.equal(toRecord(old, 0).headers?.["ce_time"], "1970-01-01T00:00:00.000Z");
});

test("no header of a message stands in for one of its attributes", () => {
  const forged = { ...message("key"), headers: { ce_id: "another", traceparent: "00-1-2-01" } };
  assert.equal(toRecord(forged, 0).headers?.["ce_id"], forged.id);
  assert.equal(toRecord(forged, 0).headers?.["traceparent"], "00-1-2-01");
});

test("a tombstone, and a record without headers or key, is a message that is the same at each delivery", () => {
  const tombstone = toMessage(record({}), "topic", 3);
  assert.deepEqual(tombstone, toMessage(record({}), "topic", 3));
  assert.equal(tombstone.id, "3-7");
  assert.equal(tombstone.source, "kafka:topic");
  assert.equal(tombstone.key, "");
  assert.equal(tombstone.data.byteLength, 0);
  assert.deepEqual(tombstone.time, new Date(1000));
});
