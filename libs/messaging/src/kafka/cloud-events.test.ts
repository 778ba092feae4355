import assert from "node:assert/strict";
import test from "node:test";
import { message } from "../conformance/test-context.ts";
import type { IncomingRecord } from "./client.ts";
import { toMessage, toRecord } from "./cloud-events.ts";

const bare: IncomingRecord = { offset: 7n, timestamp: 1000, key: null, value: null, headers: new Map() };

test("a record gets no timestamp from its event, so the retention counts from its sending", () => {
  const old = { ...message("key"), time: new Date(0) };
  assert.ok(!("timestamp" in toRecord(old, 0)));
  assert.equal(toRecord(old, 0).headers["ce_time"], "1970-01-01T00:00:00.000Z");
});

test("a header of a message does not replace an attribute of the same name", () => {
  const forged = { ...message("key"), headers: { ce_id: "another", traceparent: "00-1-2-01" } };
  assert.equal(toRecord(forged, 0).headers["ce_id"], forged.id);
  assert.equal(toRecord(forged, 0).headers["traceparent"], "00-1-2-01");
});

test("a record without headers, key or value becomes the same message at each delivery", () => {
  const tombstone = toMessage(bare, "topic", 3);
  assert.deepEqual(tombstone, toMessage(bare, "topic", 3));
  assert.equal(tombstone.id, "3-7");
  assert.equal(tombstone.source, "kafka:topic");
  assert.equal(tombstone.key, "");
  assert.equal(tombstone.data.byteLength, 0);
  assert.deepEqual(tombstone.time, new Date(1000));
});
