import { IssuerError } from "./errors.ts";
import { secureUrl } from "./issuer-url.ts";
import { isObject } from "./json.ts";

/** The member of an issuer's documents that says that it is for development. */
export const developmentMark = "plumbline_development_issuer";

/** Returns the address of an issuer's discovery document (OpenID Connect Discovery 1.0). */
export function discoveryUrl(issuer: string): URL {
  return new URL(`${secureUrl(issuer, "issuer").href.replace(/\/$/, "")}/.well-known/openid-configuration`);
}

/**
 * Returns the address of the keys from a discovery document. Throws IssuerError if the document
 * names another issuer, or keys of another origin.
 */
export function keysUrlOf(document: unknown, issuer: string): URL {
  if (!isObject(document)) throw new Error("expected a JSON object");
  const { issuer: named, jwks_uri: uri } = document;
  if (named !== issuer) {
    throw new IssuerError(`issuer: expected exactly ${JSON.stringify(issuer)}, found ${shown(named)}`);
  }
  if (typeof uri !== "string") throw new IssuerError(`jwks_uri: expected a URL, found ${shown(uri)}`);
  const url = secureUrl(uri, "jwks_uri");
  const { origin } = new URL(issuer);
  if (url.origin !== origin) {
    throw new IssuerError(`jwks_uri: expected an address of ${origin}, found ${url.origin}; set jwksUri to allow it`);
  }
  return url;
}

/** Throws IssuerError for a document of a development issuer. */
export function refuseDevelopment(document: unknown): void {
  if (isObject(document) && document[developmentMark] !== undefined && document[developmentMark] !== false) {
    throw new IssuerError("this is a development issuer: anybody may get its tokens; it must be allowed by a setting");
  }
}

/** Returns at most 200 characters of a value from outside, for an error. */
function shown(value: unknown): string {
  return value === undefined ? "none" : JSON.stringify(value).slice(0, 200);
}
