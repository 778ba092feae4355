declare const brand: unique symbol;

/** The id of an order: a version 7 UUID in its canonical form, lower case. */
export type OrderId = string & { readonly [brand]: true };

/** Returns the text as the id of an order, or undefined if it cannot be one. */
export function parseOrderId(text: string): OrderId | undefined {
  const isOne = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(text);
  return isOne ? (text as OrderId) : undefined;
}
