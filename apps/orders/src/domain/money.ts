/** An amount that cannot lose a cent: whole minor units of one currency (ISO 4217), never a floating-point number. */
export interface Money {
  /** Three capital letters, such as "EUR". */
  readonly currencyCode: string;
  /** Cents of a euro, yen of a yen. 0 to 2^63 - 1, what the contract and the database can carry. */
  readonly minorUnits: bigint;
}

/** The text is no currency code, or the amount is negative or does not fit. */
export class InvalidMoneyError extends Error {
  override readonly name = "InvalidMoneyError";
}

/** Amounts of two currencies do not add up. */
export class CurrencyMismatchError extends Error {
  override readonly name = "CurrencyMismatchError";
}

const mostMinorUnits = 2n ** 63n - 1n;

/** An amount; throws InvalidMoneyError where it is none. */
export function money(currencyCode: string, minorUnits: bigint): Money {
  if (!/^[A-Z]{3}$/.test(currencyCode)) throw new InvalidMoneyError("a currency code is three capital letters");
  if (minorUnits < 0n || minorUnits > mostMinorUnits) {
    throw new InvalidMoneyError("an amount is 0 to 2^63 - 1 minor units");
  }
  return { currencyCode, minorUnits };
}

/** The sum of two amounts of one currency; throws CurrencyMismatchError for two. */
export function add(a: Money, b: Money): Money {
  if (a.currencyCode !== b.currencyCode) {
    throw new CurrencyMismatchError(`${a.currencyCode} and ${b.currencyCode} do not add up`);
  }
  return money(a.currencyCode, a.minorUnits + b.minorUnits);
}

/** The price of `quantity` pieces; throws InvalidMoneyError for a quantity that is not a whole number from 0 up. */
export function times(price: Money, quantity: number): Money {
  if (!Number.isSafeInteger(quantity)) throw new InvalidMoneyError("a quantity is a whole number");
  return money(price.currencyCode, price.minorUnits * BigInt(quantity));
}
