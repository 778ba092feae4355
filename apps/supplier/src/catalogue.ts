/** The price of one SKU, and its stock at the start. */
export interface Article {
  readonly currencyCode: string;
  /** The price of one, in the minor units of the currency. */
  readonly minorUnits: bigint;
  readonly available: number;
}

/**
 * This SKU never runs out and its stock cannot be set, so that an example order always succeeds.
 */
export const alwaysInStock = "tea";

/** Prices never change, so a retried order costs the same. `matcha` is sold in another currency. */
export const catalogue: ReadonlyMap<string, Article> = new Map([
  ["tea", { currencyCode: "EUR", minorUnits: 450n, available: 1_000_000 }],
  ["coffee", { currencyCode: "EUR", minorUnits: 899n, available: 100_000 }],
  ["oolong", { currencyCode: "EUR", minorUnits: 1_250n, available: 100_000 }],
  ["cups", { currencyCode: "EUR", minorUnits: 1_999n, available: 100_000 }],
  ["kettle", { currencyCode: "EUR", minorUnits: 4_900n, available: 100_000 }],
  ["teapot", { currencyCode: "EUR", minorUnits: 3_475n, available: 3 }],
  ["matcha", { currencyCode: "JPY", minorUnits: 2_400n, available: 100_000 }],
  ["unicorn", { currencyCode: "EUR", minorUnits: 999_999n, available: 0 }],
]);
