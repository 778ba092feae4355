import assert from "node:assert/strict";
import { test } from "node:test";
import { pluralOf, rename } from "./names.ts";

test("each form of the template's noun becomes the same form of the name", () =>
  assert.equal(
    rename(
      "a spare part, spare-part, spare_parts, sparePart, SparePartService, SPARE_PART_URL, spare-parts",
      "gift-box",
    ),
    "a gift box, gift-box, gift_boxes, giftBox, GiftBoxService, GIFT_BOX_URL, gift-boxes",
  ));

test("a name of one word has no dash left in any form", () =>
  assert.equal(rename("spare-part spare_part sparePart SparePart SPARE_PART", "cart"), "cart cart cart Cart CART"));

test("the article fits the name", () => assert.equal(rename("a spare part", "invoice"), "an invoice"));

for (const [noun, plural] of [
  ["cart", "carts"],
  ["box", "boxes"],
  ["branch", "branches"],
  ["story", "stories"],
  ["day", "days"],
] as const) {
  test(`the plural of ${noun} is ${plural}`, () => assert.equal(pluralOf(noun), plural));
}
