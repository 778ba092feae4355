/**
 * An amount in whole minor units of one currency (ISO 4217): no floating point, so no lost cent.
 */
export interface Money {
  /** Three capital letters, such as "EUR". */
  readonly currencyCode: string;
  /** Cents of a euro, yen of a yen. 0 to 2^63 - 1, what the contract and the database can carry. */
  readonly minorUnits: bigint;
}

/**
 * The error for a text that is no currency code, and for an amount that is negative or too large.
 */
export class InvalidMoneyError extends Error {
  override readonly name = "InvalidMoneyError";
}

/** The error for a sum of amounts of two currencies. */
export class CurrencyMismatchError extends Error {
  override readonly name = "CurrencyMismatchError";
}

const mostMinorUnits = 2n ** 63n - 1n;

/** Creates an amount. Throws InvalidMoneyError. */
export function money(currencyCode: string, minorUnits: bigint): Money {
  if (!/^[A-Z]{3}$/.test(currencyCode)) throw new InvalidMoneyError("a currency code is three capital letters");
  if (minorUnits < 0n || minorUnits > mostMinorUnits) {
    throw new InvalidMoneyError("an amount is 0 to 2^63 - 1 minor units");
  }
  return { currencyCode, minorUnits };
}

/** Returns the sum of two amounts. Throws CurrencyMismatchError for two currencies. */
export function add(a: Money, b: Money): Money {
  if (a.currencyCode !== b.currencyCode) {
    throw new CurrencyMismatchError(`${a.currencyCode} and ${b.currencyCode} do not add up`);
  }
  return money(a.currencyCode, a.minorUnits + b.minorUnits);
}

/**
 * Returns the price of `quantity` pieces. Throws InvalidMoneyError unless that is a whole number
 * from 0.
 */
export function times(price: Money, quantity: number): Money {
  if (!Number.isSafeInteger(quantity)) throw new InvalidMoneyError("a quantity is a whole number");
  return money(price.currencyCode, price.minorUnits * BigInt(quantity));
}
