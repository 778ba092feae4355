import type { Clock } from "./clock.ts";
import { invalid, TokenError } from "./errors.ts";
import { isObject } from "./json.ts";
import type { Principal } from "./principal.ts";

export interface ClaimRules {
  readonly issuer: string;
  readonly audience: string;
  readonly clock: Clock;
}

const toleranceMs = 30_000;
const maxSubject = 64;
const maxClient = 256;
const maxScopes = 100;
const maxSeconds = 253_402_300_799; // The last second of the year 9999.

/**
 * Returns the principal of a payload whose signature was verified. Throws TokenError for the first
 * claim that is wrong (RFC 9068, section 4; RFC 8725, sections 3.8 to 3.12).
 */
export function principalOf(payload: Uint8Array, type: string, rules: ClaimRules): Principal {
  const claims = claimsOf(payload);
  const { issuer, audience, clock } = rules;
  if (claims["iss"] !== issuer) throw invalid("iss", JSON.stringify(issuer));
  const audiences = Array.isArray(claims["aud"]) ? claims["aud"] : [claims["aud"]];
  if (!audiences.includes(audience)) throw invalid("aud", JSON.stringify(audience));
  if (type !== "at+jwt") {
    for (const name of ["nonce", "at_hash"]) {
      if (claims[name] !== undefined) throw invalid(name, "none: this is an ID token");
    }
  }
  // A bound token is no bearer token, and its proof is not checked here (RFC 9449, RFC 8705).
  if (claims["cnf"] !== undefined) throw invalid("cnf", "none: bound tokens are not supported");
  const now = clock.wallMs();
  const expiresMs = timeOf(claims, "exp");
  const issuedMs = timeOf(claims, "iat");
  if (expiresMs + toleranceMs <= now) throw new TokenError("TOKEN_EXPIRED", "exp", "a time in the future");
  if (issuedMs - toleranceMs > now) throw invalid("iat", "a time in the past");
  if (claims["nbf"] !== undefined && timeOf(claims, "nbf") - toleranceMs > now) {
    throw invalid("nbf", "a time in the past");
  }
  const subject = textOf(claims, "sub", maxSubject);
  const client = textOf(claims, "client_id", maxClient);
  return Object.freeze({ subject, client, scopes: scopesOf(claims), issuedMs, expiresMs });
}

function claimsOf(payload: Uint8Array): Readonly<Record<string, unknown>> {
  let claims: unknown;
  try {
    claims = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    throw invalid("payload", "JSON");
  }
  if (!isObject(claims)) throw invalid("payload", "a JSON object");
  return claims;
}

/** JSON.parse makes Infinity of 1e400: such a token would never expire. */
function timeOf(claims: Readonly<Record<string, unknown>>, name: string): number {
  const seconds = claims[name];
  if (typeof seconds !== "number" || !(seconds > 0 && seconds <= maxSeconds)) {
    throw invalid(name, "seconds since 1970");
  }
  return seconds * 1_000;
}

function textOf(claims: Readonly<Record<string, unknown>>, name: string, most: number): string {
  const text = claims[name];
  if (!isName(text, most)) throw invalid(name, `1 to ${most} characters`);
  return text;
}

/** Returns true for a text that may name a caller. */
export function isSubject(text: unknown): text is string {
  return isName(text, maxSubject);
}

function isName(text: unknown, most: number): text is string {
  const isFit = typeof text === "string" && text !== "" && text.isWellFormed() && !/\p{Cc}/u.test(text);
  // Code points, as customer ids are counted.
  return isFit && Array.from(text).length <= most;
}

/** A scope that is no text, such as an array, grants nothing. */
function scopesOf(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const { scope } = claims;
  const scopes = typeof scope === "string" ? [...new Set(scope.split(" ").filter((word) => word !== ""))] : [];
  if (scopes.length > maxScopes) throw invalid("scope", `at most ${maxScopes} words`);
  return Object.freeze(scopes);
}
