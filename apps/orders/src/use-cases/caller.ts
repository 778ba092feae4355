/**
 * The caller of a request. Undefined where the service asks no caller for its identity: then all
 * orders are for everybody.
 */
export interface Caller {
  /** The customer. */
  readonly subject: string;
  /** True for a caller whom the orders of all customers are for. */
  readonly isOperator: boolean;
}

/** The error for a request that names another customer than its caller. */
export class CustomerMismatchError extends Error {
  override readonly name = "CustomerMismatchError";
}

/** Returns the customer whose orders are for this caller; undefined for those of all customers. */
export function ownerFor(caller: Caller | undefined): string | undefined {
  return caller === undefined || caller.isOperator ? undefined : caller.subject;
}

/**
 * Returns the customer of a request that names one, or names none and means its caller. Throws
 * CustomerMismatchError for another customer than the caller, unless that is an operator.
 */
export function customerFor(caller: Caller | undefined, named: string): string {
  if (caller === undefined) return named;
  if (named === "" || named === caller.subject) return caller.subject;
  if (caller.isOperator) return named;
  throw new CustomerMismatchError("the customer is another than the caller; leave it out to mean the caller");
}
