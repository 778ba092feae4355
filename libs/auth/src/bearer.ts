import { invalid, TokenError } from "./errors.ts";

/**
 * Returns the token of the Authorization headers of one request (RFC 6750, section 2.1). Throws
 * TokenError: TOKEN_MISSING without such a header, TOKEN_INVALID for several headers or another
 * scheme. Tokens in queries, bodies and cookies are never read.
 */
export function bearerToken(authorization: readonly string[]): string {
  const token = writtenToken(authorization);
  checkToken(token);
  return token;
}

/**
 * Returns the same text, but with any characters. It is for callers that ask a verifier if it knows
 * the token and call `checkToken` if not: to read all characters costs half as much as a digest.
 */
export function writtenToken(authorization: readonly string[]): string {
  const [header] = authorization;
  if (header === undefined) throw new TokenError("TOKEN_MISSING", "authorization", expected);
  if (authorization.length > 1) throw invalid("authorization", "one header");
  if (header.slice(0, scheme.length).toLowerCase() !== scheme) throw invalid("authorization", expected);
  let start = scheme.length;
  while (header[start] === " ") start++;
  return header.slice(start);
}

/** Throws TokenError, TOKEN_INVALID, for a text with characters that no token has, or with none. */
export function checkToken(written: string): void {
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(written)) throw invalid("authorization", expected);
}

const scheme = "bearer ";
const expected = "Bearer and a token";

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
