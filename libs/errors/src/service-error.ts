import type { Code } from "./codes.ts";

/** A refused field of a request, as in google.rpc.BadRequest.FieldViolation. */
export interface FieldViolation {
  /** The path from the root of the request, in proto names: `items[2].quantity`. */
  readonly field: string;
  readonly description: string;
}

/** A detail of a type that this package does not know, as in google.protobuf.Any. */
export interface ErrorDetail {
  /** "type.googleapis.com/shop.v1.OutOfStock" */
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export interface ServiceErrorOptions {
  /** The underlying failure. For the log: it never reaches the caller. */
  readonly cause?: unknown;
  /**
   * A constant that a program can branch on, as google.rpc.ErrorInfo.reason:
   * `ORDER_ALREADY_FULFILLED`.
   */
  readonly reason?: string | undefined;
  readonly violations?: readonly FieldViolation[] | undefined;
  /** The time the caller should wait before it retries, as in google.rpc.RetryInfo. */
  readonly retryAfterMs?: number | undefined;
  /** Further details, for callers that know their types. */
  readonly details?: readonly ErrorDetail[] | undefined;
}

// In the global registry, so that two copies of this package in one process recognise each other's
// errors.
const brand = Symbol.for("plumbline.ServiceError");

/**
 * A failure with `code` and `reason` for programs, a `message` for the caller and a `cause` for the
 * log.
 */
export class ServiceError extends Error {
  // On the prototype, so that the stack starts with it and a subclass can replace it.
  static {
    this.prototype.name = "ServiceError";
  }

  readonly code: Code;
  readonly violations: readonly FieldViolation[];
  // Declared, not defined, so that a printed error does not show absent fields.
  declare readonly reason?: string;
  declare readonly retryAfterMs?: number;
  declare readonly details?: readonly ErrorDetail[];

  constructor(code: Code, message: string, options: ServiceErrorOptions = {}) {
    // `in`, because undefined is a cause too: it can be thrown.
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.violations = Object.freeze([...(options.violations ?? [])]);
    if (options.reason !== undefined) this.reason = options.reason;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    if (options.details !== undefined && options.details.length > 0) this.details = Object.freeze([...options.details]);
  }

  get [brand](): true {
    return true;
  }
}

/**
 * Returns true for a ServiceError of any copy of this package. Use it instead of `instanceof`. A
 * structured clone (`postMessage` between threads) loses class and fields: send the fields and
 * build a new error from them.
 */
export function isServiceError(error: unknown): error is ServiceError {
  return typeof error === "object" && error !== null && brand in error;
}
