import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { following } from "../test/following.ts";

test("the document of the README is valid, and gives about ten of a hundred customers the new rules", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, document = ""] = /^```json\n(.*?)^```$/ms.exec(readme) ?? [];
  await using app = await following(document);
  assert.equal(app.flags.status, "READY");
  const customers = Array.from({ length: 2_000 }, (_, n) => `customer-${n}`);
  const chosen = customers.filter((targetingKey) => app.flags.boolean("checkout-v2", false, { targetingKey }));
  assert.ok(Math.abs(chosen.length - 200) < 40, `${chosen.length} of 2000`);
});
