import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf, ServiceError } from "@plumbline/errors";
import { message } from "./conformance/test-context.ts";
import { decodeEvent } from "./decode-event.ts";
import { isPermanent } from "./middleware/permanent.ts";

test("an event is what the decoder reads from the message's data", () => {
  const sent = { ...message("a"), data: Buffer.from("three") };
  assert.equal(decodeEvent({ decode: (data) => Buffer.from(data).toString() }, sent), "three");
});

for (const cause of [new RangeError("index out of range"), new ServiceError("unavailable", "a retry may succeed")]) {
  test(`an event whose decoder throws ${cause.name} fails permanently with data_loss`, () => {
    const failing = (): never => {
      throw cause;
    };
    const sent = { ...message("a"), type: "orders.v1.OrderPlaced" };
    assert.throws(
      () => decodeEvent({ decode: failing }, sent),
      (error: Error) =>
        codeOf(error) === "data_loss" &&
        isPermanent(error) &&
        error.message === "the event of type orders.v1.OrderPlaced cannot be decoded" &&
        error.cause === cause,
    );
  });
}
