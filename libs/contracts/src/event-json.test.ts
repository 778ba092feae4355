import assert from "node:assert/strict";
import { test } from "node:test";
import { eventToJson, OrderPlaced } from "./index.ts";

const placed = OrderPlaced.fromPartial({ orderId: "0199", customerId: "ada", items: [{ sku: "tea", quantity: 2 }] });

test("a known event is shown as protobuf JSON", () => {
  const json = eventToJson("orders.v1.OrderPlaced", OrderPlaced.encode(placed).finish()) ?? "";
  const { orderId, customerId, items } = JSON.parse(json);
  assert.deepEqual(
    { orderId, customerId, items },
    { orderId: "0199", customerId: "ada", items: [{ sku: "tea", quantity: 2 }] },
  );
});

test("an event that cannot be decoded has no JSON", () => {
  assert.equal(eventToJson("orders.v1.OrderPlaced", Uint8Array.of(0xff)), undefined);
});

test("an event of an unknown type has no JSON", () => {
  assert.equal(eventToJson("orders.v1.OrderShipped", new Uint8Array()), undefined);
});
