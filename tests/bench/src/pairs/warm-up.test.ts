import assert from "node:assert/strict";
import { test } from "node:test";
import { hasSettled, warmUp } from "./warm-up.ts";

for (const { name, figures, want } of [
  { name: "few slices tell nothing", figures: [131, 131, 131], want: false },
  { name: "a figure that falls is not settled", figures: [131, 110, 95, 84, 76], want: false },
  { name: "one slice that fell among the last is not settled", figures: [100, 100, 80, 100], want: false },
  { name: "a figure that stays is settled", figures: [131, 90, 72, 73, 72, 71], want: true },
  { name: "a figure that rises again is settled", figures: [90, 70, 80, 95, 90], want: true },
]) {
  test(name, () => assert.equal(hasSettled(figures), want));
}

test("a warm-up ends with the slice after which the figure has stopped falling", async () => {
  const figures = [131, 90, 72, 72, 72, 72, 72];
  let slices = 0;
  await warmUp("a gateway", async () => figures[slices++] ?? 0);
  assert.equal(slices, 6);
});

test("a figure that falls without an end does so until the time is over, and this is said", async (t) => {
  const log = t.mock.method(console, "log", () => {});
  let figure = 1e9;
  await warmUp("a gateway", async () => (figure *= 0.9), 5);
  assert.match(String(log.mock.calls[0]?.arguments[0]), /^NOT WARM {2}a gateway: /);
});
