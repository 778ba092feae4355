import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { shareHeaders, shareOf } from "./share.ts";

test("a message has the share and the cost that its sender gave it", () => {
  assert.deepEqual(shareOf({ headers: shareHeaders("2001:db8:1:2::/64", 100) }), {
    share: "2001:db8:1:2::/64",
    cost: 100,
  });
  assert.deepEqual(shareOf({ headers: {} }), { share: "", cost: 1 });
});

test("keys are short and costs are bounded, whatever a stranger sends", () => {
  const text = fc.option(fc.oneof(fc.string(), fc.string({ minLength: 46 }), fc.double().map(String)));
  fc.assert(
    fc.property(text, text, (key, cost) => {
      const headers = { ...(key !== null && { "share-key": key }), ...(cost !== null && { "share-cost": cost }) };
      const found = shareOf({ headers });
      assert.match(found.share, /^[\x21-\x7e]{0,45}$/);
      assert.ok(found.cost >= 1 && found.cost <= 10_000);
    }),
  );
});
