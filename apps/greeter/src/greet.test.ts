import assert from "node:assert/strict";
import { test } from "node:test";
import { greet } from "./greet.ts";

for (const { name, who, want } of [
  { name: "a name is greeted", who: "Ada", want: "Hello Ada" },
  { name: "the shortest name is greeted", who: "I", want: "Hello I" },
  { name: "the longest name allowed is greeted", who: "x".repeat(100), want: `Hello ${"x".repeat(100)}` },
  { name: "a hundred emoji are a hundred characters", who: "🫖".repeat(100), want: `Hello ${"🫖".repeat(100)}` },
]) {
  test(name, () => assert.equal(greet(who), want));
}

for (const { name, who } of [
  { name: "an empty name is refused", who: "" },
  { name: "a name of 101 characters is refused", who: "x".repeat(101) },
  { name: "a name of 101 emoji is refused", who: "🫖".repeat(101) },
  { name: "a name of megabytes is refused", who: "x".repeat(4_000_000) },
]) {
  test(name, () =>
    assert.throws(() => greet(who), {
      code: "invalid_argument",
      violations: [{ field: "name", description: "must have 1 to 100 characters" }],
    }),
  );
}
