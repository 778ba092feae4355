import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { Order } from "@plumbline/contracts";
import * as fc from "fast-check";
import { anyJson } from "../test/support/any-json.ts";
import { plumbline } from "../test/support/orders.ts";
import { bindingsOf } from "./bindings/binding.ts";
import { bindRequest } from "./bindings/request.ts";
import { checkMessage } from "./json/check.ts";
import { encodeMessage } from "./json/encode.ts";
import { Violations } from "./json/violations.ts";
import { shop } from "./testing.ts";

const text = fc.string({ unit: "grapheme", maxLength: 20 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
// Not before 1970: ts-proto writes earlier times with negative nanoseconds, which are invalid.
const date = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true });

const orders = fc
  .record({
    id: fc.uuid(),
    customerId: text,
    items: fc.array(
      fc.record({ sku: text, quantity: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) }, { noNullPrototype: true }),
      {
        maxLength: 5,
      },
    ),
    status: fc.constantFrom(0, 1, 2, 3, 4),
    total: fc.option(fc.record({ currencyCode: text, minorUnits: int64 }), { nil: undefined }),
    rejectionReason: text,
    version: int64,
    createTime: fc.option(date, { nil: undefined }),
    updateTime: fc.option(date, { nil: undefined }),
  })
  .map((fields) => Order.fromPartial(fields));

const orderType = plumbline.getMessage("orders.v1.Order") ?? assert.fail();

test("any order that a service encodes becomes valid JSON of the order, with nothing lost", () => {
  fc.assert(
    fc.property(orders, (order) => {
      const bytes = Order.encode(order).finish();
      const json = JSON.parse(
        JSON.stringify(encodeMessage(orderType, fromBinary(orderType, bytes), plumbline)),
      ) as Record<string, unknown>;
      const violations = new Violations();
      checkMessage(orderType, json as JsonValue, "", { violations, registry: plumbline });
      violations.throwIfAny("order");
      assert.equal(json["version"], String(order.version));
      assert.equal(json["customerId"], order.customerId);
      assert.deepEqual(json["items"], order.items);
      assert.deepEqual(
        json["total"],
        order.total === undefined ? null : { ...order.total, minorUnits: String(order.total.minorUnits) },
      );
      assert.equal(
        json["createTime"] === null ? undefined : new Date(json["createTime"] as string).getTime(),
        order.createTime?.getTime(),
      );
    }),
    { numRuns: 300 },
  );
});

const placeOrder = bindingsOf(plumbline).find(({ method }) => method.name === "PlaceOrder") ?? assert.fail();

test("any JSON of a request becomes bytes and the same JSON again", () => {
  const item = fc.record({ sku: text, quantity: fc.integer({ min: 0, max: 2 ** 31 - 1 }) }, { noNullPrototype: true });
  const requests = fc.record({ customerId: text, items: fc.array(item) }, { noNullPrototype: true });
  fc.assert(
    fc.property(requests, (json) => {
      const body = Buffer.from(JSON.stringify(json));
      const bytes = bindRequest(placeOrder, { params: new Map(), query: "", body });
      const { input } = placeOrder.method;
      assert.deepEqual(encodeMessage(input, fromBinary(input, bytes), plumbline), json);
    }),
    { numRuns: 300 },
  );
});

test("any other JSON is refused as an invalid argument, and by nothing else", () => {
  const keys = fc.constantFrom("customerId", "customer_id", "items", "sku", "quantity", "nope");
  const values = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.json().map((one) => JSON.parse(one) as unknown),
      fc.integer(),
      fc.string(),
      tie("object"),
      fc.array(tie("value"), { maxLength: 3 }),
    ),
    object: fc.dictionary(keys, tie("value"), { maxKeys: 4 }),
  })).value;
  fc.assert(
    fc.property(values, (json) => {
      try {
        bindRequest(placeOrder, { params: new Map(), query: "", body: Buffer.from(JSON.stringify(json)) });
      } catch (error) {
        assert.equal((error as { code?: string }).code, "invalid_argument");
        // Without a cause: our own checks found it, and fromJson found nothing that they had
        // missed.
        assert.equal((error as Error).cause, undefined, JSON.stringify(json));
      }
    }),
    { numRuns: 1000 },
  );
});

for (const name of ["kinds.v1.Kinds", "shop.v1.Everything", "kinds.v2.Plain"]) {
  test(`JSON that is accepted for ${name} has bytes and JSON again; other JSON is refused with a field`, () => {
    const message = shop.getMessage(name) ?? assert.fail();
    const options = { registry: shop, recursionLimit: 1000 };
    let accepted = 0;
    fc.assert(
      fc.property(anyJson(message, shop), (json) => {
        const violations = new Violations();
        const checked = checkMessage(message, structuredClone(json), "", { violations, registry: shop });
        if (!violations.empty) return;
        accepted += 1;
        const bytes = toBinary(message, fromJson(message, checked, options));
        JSON.stringify(encodeMessage(message, fromBinary(message, bytes), shop));
      }),
      { numRuns: 1500 },
    );
    assert.ok(accepted > 100, `${accepted}`);
  });
}
