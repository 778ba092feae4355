import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { add, CurrencyMismatchError, InvalidMoneyError, money, times } from "./money.ts";

for (const { name, currencyCode, minorUnits } of [
  { name: "an amount below zero is refused", currencyCode: "EUR", minorUnits: -1n },
  { name: "an amount the contract cannot carry is refused", currencyCode: "EUR", minorUnits: 2n ** 63n },
  { name: "a currency in small letters is refused", currencyCode: "eur", minorUnits: 1n },
  { name: "an amount without a currency is refused", currencyCode: "", minorUnits: 1n },
]) {
  test(name, () => assert.throws(() => money(currencyCode, minorUnits), InvalidMoneyError));
}

test("the largest amount is kept to the last unit", () =>
  assert.equal(money("JPY", 2n ** 63n - 1n).minorUnits, 9_223_372_036_854_775_807n));

test("two currencies do not mix", () =>
  assert.throws(() => add(money("EUR", 1n), money("USD", 1n)), CurrencyMismatchError));

test("a sum past the largest amount is refused rather than wrapped round", () =>
  assert.throws(() => add(money("EUR", 2n ** 63n - 1n), money("EUR", 1n)), InvalidMoneyError));

test("half a piece has no price", () => assert.throws(() => times(money("EUR", 3n), 0.5), InvalidMoneyError));

test("a price times n is the sum of n prices", () =>
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 15n), fc.integer({ min: 0, max: 50 }), (units, quantity) => {
      const price = money("EUR", units);
      let sum = money("EUR", 0n);
      for (let piece = 0; piece < quantity; piece++) sum = add(sum, price);
      assert.deepEqual(times(price, quantity), sum);
    }),
  ));
