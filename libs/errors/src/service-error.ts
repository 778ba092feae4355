import type { Code } from "./codes.ts";

/** One field of a request that was refused, as google.rpc.BadRequest.FieldViolation. */
export interface FieldViolation {
  /** Path from the request's root, in proto names: `items[2].quantity`. */
  readonly field: string;
  readonly description: string;
}

export interface ServiceErrorOptions {
  /** What happened underneath. For the log; it never reaches the caller. */
  readonly cause?: unknown;
  /** A constant a program can branch on, as google.rpc.ErrorInfo.reason: `ORDER_ALREADY_FULFILLED`. */
  readonly reason?: string | undefined;
  readonly violations?: readonly FieldViolation[] | undefined;
  /** How long the caller should wait before it tries again, as google.rpc.RetryInfo. */
  readonly retryAfterMs?: number | undefined;
}

// In the global registry, so that two copies of this package (a bundle beside its source) recognise each other's errors.
const brand = Symbol.for("plumbline.ServiceError");

/** A failure with a name: `code` and `reason` for the program, `message` fit for the caller, `cause` fit for the log. */
export class ServiceError extends Error {
  // On the prototype, so that the first line of the stack has it and a subclass can give its own.
  static {
    this.prototype.name = "ServiceError";
  }

  readonly code: Code;
  readonly violations: readonly FieldViolation[];
  // Declared, not defined: absent when not given, so that a printed error shows only what it says.
  declare readonly reason?: string;
  declare readonly retryAfterMs?: number;

  constructor(code: Code, message: string, options: ServiceErrorOptions = {}) {
    // `in`, because a cause of undefined (someone threw it) is a cause too.
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.violations = Object.freeze([...(options.violations ?? [])]);
    if (options.reason !== undefined) this.reason = options.reason;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }

  get [brand](): true {
    return true;
  }
}

/**
 * Whether `error` is a ServiceError of any copy of this package. Use it instead of `instanceof`. A structured clone
 * (postMessage between threads) keeps neither class nor fields: send the fields and build the error anew.
 */
export function isServiceError(error: unknown): error is ServiceError {
  return typeof error === "object" && error !== null && brand in error;
}
