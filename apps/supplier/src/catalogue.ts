/** What one SKU costs, and how many there are when the supplier starts. */
export interface Article {
  readonly currencyCode: string;
  /** Price of one, in the minor units of the currency. */
  readonly minorUnits: bigint;
  readonly available: number;
}

/** Never runs out and its stock cannot be set, so that an example order always has an end to count on. */
export const alwaysInStock = "tea";

/** The price of a SKU never changes: the same order costs the same at each try. `matcha` is sold in another currency. */
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
