import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { parseOrderId, uuidV7 } from "./order-id.ts";

test("the example of RFC 9562, appendix A.6, comes out as printed there", () =>
  // rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F: version and variant replace bits of the random bytes.
  assert.equal(
    uuidV7(0x017f22e279b0, Uint8Array.from([0xfc, 0xc3, 0xd8, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f])),
    "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
  ));

const random = fc.uint8Array({ minLength: 10, maxLength: 10 });
const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });

test("every id that is made can be parsed", () =>
  fc.assert(
    fc.property(time, random, (ms, bytes) => {
      const id = uuidV7(ms, bytes);
      assert.equal(parseOrderId(id), id);
    }),
  ));

test("ids sort as text by the millisecond they were made in", () =>
  fc.assert(
    fc.property(time, time, random, random, (a, b, x, y) => {
      fc.pre(a < b);
      assert.ok(uuidV7(a, x) < uuidV7(b, y));
    }),
  ));

for (const { name, text } of [
  { name: "the empty text", text: "" },
  { name: "a version 4 UUID", text: "919108f7-52d1-4320-9bac-f847db4148a8" },
  { name: "capital letters", text: "017F22E2-79B0-7CC3-98C4-DC0C0C07398F" },
  { name: "a line end after the id", text: "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n" },
  { name: "an id in braces", text: "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}" },
]) {
  test(`${name} is no order id`, () => assert.equal(parseOrderId(text), undefined));
}
