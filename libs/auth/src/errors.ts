import { ServiceError } from "@plumbline/errors";
import type { Principal } from "./principal.ts";

export type TokenReason = "TOKEN_MISSING" | "TOKEN_INVALID" | "TOKEN_EXPIRED";

// One text for all invalid tokens: a caller who guesses learns nothing from it.
const messages: Readonly<Record<TokenReason, string>> = {
  TOKEN_MISSING: "the request needs an access token",
  TOKEN_INVALID: "the access token is invalid",
  TOKEN_EXPIRED: "the access token has expired",
};

/**
 * A refused access token. `message` is for the caller. `part` and `expected` are for the log; they
 * never hold anything that the token said.
 */
export class TokenError extends ServiceError {
  static {
    this.prototype.name = "TokenError";
  }

  declare readonly reason: TokenReason;
  /** The part of the token that is wrong: a claim, a parameter of the header, `signature`. */
  readonly part: string;
  /** The value that would have been right: "one of ES256, RS256". */
  readonly expected: string;

  constructor(reason: TokenReason, part: string, expected: string) {
    super("unauthenticated", messages[reason], { reason });
    this.part = part;
    this.expected = expected;
  }
}

/** Returns the error for an invalid part of a token. */
export function invalid(part: string, expected: string): TokenError {
  return new TokenError("TOKEN_INVALID", part, expected);
}

/**
 * A document of the issuer that contradicts the settings. Waiting does not repair it: a service
 * does not start with it.
 */
export class IssuerError extends Error {
  override readonly name = "IssuerError";
}

/**
 * Throws `permission_denied`, reason INSUFFICIENT_SCOPE, unless the principal has every one of
 * `scopes`.
 */
export function requireScopes(principal: Principal, scopes: readonly string[]): void {
  if (scopes.every((scope) => principal.scopes.includes(scope))) return;
  throw new ServiceError("permission_denied", `the access token needs the scope ${scopes.join(" ")}`, {
    reason: "INSUFFICIENT_SCOPE",
  });
}
