import assert from "node:assert/strict";
import { test } from "node:test";
import { PNG } from "pngjs";
import { readBarcode } from "../../test/read-barcode.ts";
import { drawLabel } from "./draw-label.ts";

/** Returns a row of pixels through the middle of the bars. */
const barcodeRow = 160;
const items = [{ sku: "tea", quantity: 2 }];

function pixelsOf(png: Uint8Array, top: number, bottom: number): Buffer {
  const { width, data } = PNG.sync.read(Buffer.from(png));
  return data.subarray(top * width * 4, bottom * width * 4);
}

test("a label is a PNG of 960 by 480 pixels", () => {
  const label = drawLabel({ orderId: crypto.randomUUID(), items });
  const { width, height } = PNG.sync.read(Buffer.from(label));
  assert.deepEqual([width, height], [960, 480]);
});

test("a label takes at most 2,000 bytes, however many items it lists", () => {
  for (const count of [1, 100]) {
    const many = Array.from({ length: count }, (_, index) => ({ sku: `${index}`.padEnd(64, "wxyz"), quantity: 1_000 }));
    const { length } = drawLabel({ orderId: crypto.randomUUID(), items: many });
    assert.ok(length <= 2_000, `${length} bytes`);
  }
});

test("the barcode of a label, read back from its pixels, is the order's id", () => {
  for (let n = 0; n < 40; n++) {
    const orderId = crypto.randomUUID();
    assert.equal(readBarcode(drawLabel({ orderId, items }), barcodeRow), orderId);
  }
});

test("a barcode can hold any printable text, including escapes and long runs of digits", () => {
  for (const orderId of ["^065", "a", "0123456789012345678901234567890123", "Order #7 (\\ ~)"]) {
    assert.equal(readBarcode(drawLabel({ orderId, items }), barcodeRow), orderId);
  }
});

test("labels of two orders differ only in barcode and text", () => {
  const [a, b] = ["1", "2"].map((end) => drawLabel({ orderId: `019a0000-0000-7000-8000-00000000000${end}`, items }));
  assert.ok(a !== undefined && b !== undefined);
  assert.notDeepEqual(pixelsOf(a, 96, 236), pixelsOf(b, 96, 236));
  assert.notDeepEqual(pixelsOf(a, 240, 272), pixelsOf(b, 240, 272));
  assert.deepEqual(pixelsOf(a, 0, 96), pixelsOf(b, 0, 96));
  assert.deepEqual(pixelsOf(a, 274, 480), pixelsOf(b, 274, 480));
});

test("the same order gives the same bytes", () => {
  const content = { orderId: "019a0000-0000-7000-8000-000000000001", items };
  assert.deepEqual(drawLabel(content), drawLabel(content));
});

test("other items give another packing list", () => {
  const orderId = "019a0000-0000-7000-8000-000000000001";
  const [two, three] = [2, 3].map((quantity) => drawLabel({ orderId, items: [{ sku: "tea", quantity }] }));
  assert.ok(two !== undefined && three !== undefined);
  assert.notDeepEqual(pixelsOf(two, 280, 480), pixelsOf(three, 280, 480));
  assert.deepEqual(pixelsOf(two, 0, 280), pixelsOf(three, 0, 280));
});

test("with a hundred items of the longest name the barcode is still readable", () => {
  const orderId = "019affff-ffff-7fff-bfff-ffffffffffff";
  const many = Array.from({ length: 100 }, (_, index) => ({ sku: `${index}`.padEnd(64, "w"), quantity: 1_000 }));
  assert.equal(readBarcode(drawLabel({ orderId, items: many }), barcodeRow), orderId);
});

for (const { name, orderId } of [
  { name: "an empty id", orderId: "" },
  { name: "an id wider than the label", orderId: "x".repeat(60) },
  { name: "an id outside ASCII", orderId: "tee-ü" },
]) {
  test(`${name} is refused`, () => {
    assert.throws(() => drawLabel({ orderId, items }), RangeError);
  });
}
