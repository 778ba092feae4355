import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf } from "@plumbline/errors";
import { eventMessage, invalidEvent } from "./event-message.ts";
import { isPermanent } from "./middleware/permanent.ts";

const praised = { type: "orders.v1.OrderPraised", encode: (event: string) => Buffer.from(event) };
const fields = { source: "/plumbline/orders", key: "7", time: new Date(0) };

test("the message of an event has the event's type, encoding and fields", () => {
  const { id, data, ...message } = eventMessage(praised, "good tea", fields);
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.equal(Buffer.from(data).toString(), "good tea");
  assert.deepEqual(message, {
    ...fields,
    type: "orders.v1.OrderPraised",
    contentType: "application/protobuf",
    headers: {},
  });
});

test("an event that breaks its contract is a permanent error that names its type", () => {
  const error = invalidEvent(eventMessage(praised, "", fields), "the praise is empty");
  assert.equal(codeOf(error), "invalid_argument");
  assert.equal(error.message, "the event of type orders.v1.OrderPraised is invalid: the praise is empty");
  assert.ok(isPermanent(error));
});
