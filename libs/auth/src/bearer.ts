import { invalid, TokenError } from "./errors.ts";

/**
 * Returns the token of the Authorization headers of one request (RFC 6750, section 2.1). Throws
 * TokenError: TOKEN_MISSING without such a header, TOKEN_INVALID for several headers or another
 * scheme. Tokens in queries, bodies and cookies are never read.
 */
export function bearerToken(authorization: readonly string[]): string {
  const [header, ...others] = authorization;
  if (header === undefined) throw new TokenError("TOKEN_MISSING", "authorization", "Bearer and a token");
  if (others.length > 0) throw invalid("authorization", "one header");
  const token = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(header)?.[1];
  if (token === undefined) throw invalid("authorization", "Bearer and a token");
  return token;
}

/** The parts of a challenge. They are written between quotes, so that they may have none. */
export interface Challenge {
  readonly realm: string;
  /** The reason of the refusal. */
  readonly reason?: string | undefined;
  /** The scopes that the method needs, for INSUFFICIENT_SCOPE. */
  readonly scopes?: readonly string[];
  /** The address of the metadata that name the issuer (RFC 9728, section 5.1). */
  readonly metadata?: string | undefined;
}

/**
 * Returns the value of WWW-Authenticate for a response (RFC 6750, section 3). A request without a
 * token gets no error code.
 */
export function challenge({ realm, reason, scopes = [], metadata }: Challenge): string {
  const start = `Bearer realm="${realm}"${metadata === undefined ? "" : `, resource_metadata="${metadata}"`}`;
  if (reason === "INSUFFICIENT_SCOPE") return `${start}, error="insufficient_scope", scope="${scopes.join(" ")}"`;
  return reason === "TOKEN_INVALID" || reason === "TOKEN_EXPIRED" ? `${start}, error="invalid_token"` : start;
}
