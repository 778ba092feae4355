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

/**
 * Returns the value of WWW-Authenticate for a response (RFC 6750, section 3). Pass the reason of
 * the refusal, and for INSUFFICIENT_SCOPE the scopes that the method needs. A request without a
 * token gets no error code.
 */
export function challenge(realm: string, reason: string | undefined, scopes: readonly string[] = []): string {
  const start = `Bearer realm="${realm}"`;
  if (reason === "INSUFFICIENT_SCOPE") return `${start}, error="insufficient_scope", scope="${scopes.join(" ")}"`;
  return reason === "TOKEN_INVALID" || reason === "TOKEN_EXPIRED" ? `${start}, error="invalid_token"` : start;
}
