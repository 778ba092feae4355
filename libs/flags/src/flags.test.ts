import assert from "node:assert/strict";
import test from "node:test";
import { checkout, following } from "../test/following.ts";
import { type Flags, noFlags } from "./flags.ts";

const shareOn = (flags: Flags): number =>
  Array.from({ length: 2_000 }, (_, n) =>
    flags.boolean("checkout-v2", false, { targetingKey: `customer-${n}` }),
  ).filter(Boolean).length / 20;

test("a share of the customers gets a variant, each one always the same, and a change holds within 2 s", async () => {
  await using app = await following(checkout(30));
  const { flags } = app;
  assert.equal(flags.status, "READY");
  assert.ok(Math.abs(shareOn(flags) - 30) < 3, `${shareOn(flags)} %`);
  const isOn = (): boolean => flags.boolean("checkout-v2", false, { targetingKey: "customer-1" });
  const first = isOn();
  for (let n = 0; n < 100; n++) assert.equal(isOn(), first);
  const ms = await app.change(checkout(100), () => shareOn(flags) === 100);
  assert.ok(ms <= 2_000, `${ms} ms`);
  await app.change(checkout(0), () => shareOn(flags) === 0);
});

test("an evaluation without a usable flag returns the default, with the reason", async () => {
  const variants = { on: true, off: false };
  await using app = await following({
    flags: {
      disabled: { state: "DISABLED", variants, defaultVariant: "on" },
      text: { state: "ENABLED", variants: { a: "x" }, defaultVariant: "a" },
      lost: { state: "ENABLED", variants, defaultVariant: "on", targeting: { if: [true, "gone"] } },
      odd: { state: "ENABLED", variants, defaultVariant: "on", targeting: { var: "variant" } },
      list: { state: "ENABLED", variants: { a: { size: 2 } }, defaultVariant: "a" },
      size: { state: "ENABLED", variants: { a: 7 }, defaultVariant: "a" },
    },
  });
  const { flags } = app;
  const reason = (key: string): string => flags.evaluate(key, false).reason;
  assert.equal(reason("none"), "FLAG_NOT_FOUND");
  assert.equal(reason("disabled"), "DISABLED");
  assert.equal(reason("text"), "TYPE_MISMATCH");
  assert.equal(reason("lost"), "ERROR");
  assert.deepEqual(flags.evaluate("text", ""), { value: "x", variant: "a", reason: "STATIC" });
  assert.equal(flags.string("text", ""), "x");
  assert.equal(flags.number("size", 1), 7);
  assert.deepEqual(flags.object("list", {}), { size: 2 });
  // Nothing that a caller passes makes it throw.
  for (const context of [
    { targetingKey: undefined },
    null,
    5,
    {
      get targetingKey(): string {
        throw new Error("x");
      },
    },
  ]) {
    assert.equal(flags.boolean("lost", true, context as never), true);
  }
  assert.equal(flags.boolean("odd", true, { variant: Object.create(null) as never }), true);
  for (const key of ["__proto__", "constructor", "toString"]) assert.equal(flags.boolean(key, true), true);
});

for (const [name, document, problem] of [
  ["is not JSON", "{", /flags\.json:\d+\): expected YAML/],
  ["is a list", "[]", /expected a map/],
  [
    "has no state",
    { flags: { a: { variants: { on: true }, defaultVariant: "on" } } },
    /flags\.a \(.*flags\.json:1\): .*state/,
  ],
  [
    "has mixed variants",
    { flags: { a: { state: "ENABLED", variants: { on: true, off: 1 } } } },
    /flags\.a\.variants\.o.. \(/,
  ],
  [
    "names a variant that is not there",
    { flags: { a: { state: "ENABLED", variants: { on: true }, defaultVariant: "off" } } },
    /flags \(.*\): expected a document of flagd \(Default variant off missing/,
  ],
  [
    "has a rule that does not exist",
    { flags: { a: { state: "ENABLED", variants: { on: true }, defaultVariant: "on", targeting: { often: [1] } } } },
    /flags\.a\.targeting/,
  ],
  ["has another key", { flags: {}, flag: {} }, /flag \(.*\): expected a known setting \(did you mean flags\?\)/],
  [
    "has too many flags",
    {
      flags: Object.fromEntries(
        Array.from({ length: 201 }, (_, n) => [
          `f${n}`,
          { state: "ENABLED", variants: { on: true }, defaultVariant: "on" },
        ]),
      ),
    },
    /flags \(.*\): expected at most 200 flags, not 201/,
  ],
] as const) {
  test(`a document that ${name} is logged once, and the last valid one stays`, async () => {
    await using app = await following(checkout(100));
    const { flags, lines } = app;
    await app.change(document, () => lines.length === 2);
    assert.equal(lines[1]?.level, "warn");
    assert.match(String((lines[1]?.fields as { problems?: string } | undefined)?.problems), problem);
    assert.equal(flags.status, "STALE");
    assert.equal(shareOn(flags), 100);
    await app.change(checkout(0), () => shareOn(flags) === 0);
    assert.equal(flags.status, "READY");
    assert.equal(lines.filter(({ level }) => level !== "info").length, 1);
  });
}

test("without a document, or with an invalid one at the start, all flags have their defaults", async () => {
  await using none = await following(undefined);
  assert.equal(none.flags.boolean("checkout-v2", true), true);
  assert.equal(none.flags.status, "READY");
  await using bad = await following({ flags: 5 });
  assert.equal(bad.flags.boolean("checkout-v2", true), true);
  assert.equal(bad.flags.status, "NOT_READY");
  assert.equal(bad.lines.length, 1);
  await bad.change(checkout(0), () => bad.flags.status === "READY");
  assert.equal(noFlags().boolean("checkout-v2", true), true);
});

test("a YAML document with shared rules is read too", async () => {
  await using app = await following(`
flags:
  a:
    state: ENABLED
    variants: { on: true, off: false }
    defaultVariant: "off"
    targeting: { if: [{ $ref: isOurs }, "on"] }
$evaluators:
  isOurs: { ends_with: [{ var: email }, "@example.com"] }
`);
  assert.equal(app.flags.boolean("a", false, { email: "ada@example.com" }), true);
  assert.equal(app.flags.boolean("a", true, { email: "ada@example.org" }), false);
});

test("an evaluation counts by flag and variant of the document, and is an event of the span", async () => {
  await using app = await following(checkout(100));
  app.flags.boolean("checkout-v2", false, { targetingKey: "1" });
  app.flags.boolean("checkout-v2", false, { targetingKey: "2" });
  for (let n = 0; n < 1_000; n++) app.flags.boolean(`made-up-${n}`, false);
  const { body } = await app.metrics.text();
  const series = body.split("\n").filter((line) => line.startsWith("flag_evaluations_total"));
  assert.equal(series.length, 2, body);
  assert.match(
    series.join("\n"),
    /flag="checkout-v2",variant="on".*\} 2\n.*flag="unknown",variant="default".*\} 1000/s,
  );
  assert.deepEqual(app.events[0], {
    name: "feature_flag.evaluation",
    attributes: {
      "feature_flag.key": "checkout-v2",
      "feature_flag.result.variant": "on",
      "feature_flag.result.reason": "targeting_match",
    },
  });
});

test("listeners get the flags that have changed", async () => {
  await using app = await following(checkout(100));
  const changes: string[][] = [];
  using listening = app.flags.onChange((keys) => changes.push([...keys]));
  await app.change(
    { flags: { ...checkout(100).flags, b: checkout(1).flags["checkout-v2"] } },
    () => changes.length > 0,
  );
  assert.deepEqual(changes, [["b"]]);
  listening[Symbol.dispose]();
  await app.change({ flags: {} }, () => app.lines.length === 3);
  assert.equal(changes.length, 1);
});
