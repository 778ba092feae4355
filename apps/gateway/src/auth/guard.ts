import { createHash } from "node:crypto";
import { challenge, checkToken, type Principal, requireScopes, TokenError, writtenToken } from "@plumbline/auth";
import type { AccessRule } from "@plumbline/contracts/access";
import { isServiceError, ServiceError } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import type { Binding } from "@plumbline/transcoding";
import type { Request, Response } from "express";
import { exchangeOf } from "../http/exchange.ts";
import { Gcra } from "../rate-limit/memory-limiter.ts";
import type { Rate } from "../rate-limit/rate-limiter.ts";
import type { Auth } from "./open-auth.ts";
import { metadataUrl } from "./resource-metadata.ts";

/**
 * Returns the caller of a request, or undefined where everybody may call. Throws or rejects with a
 * refusal. A caller whose token is known costs no promise.
 */
export type Guard = (
  binding: Binding,
  request: Request,
  response: Response,
) => Principal | undefined | Promise<Principal>;

export interface GuardOptions {
  readonly rules: ReadonlyMap<string, AccessRule>;
  readonly auth: Auth;
  /** The rate of tokens from one client address that were not verified before. */
  readonly newTokens: () => Rate;
  readonly telemetry: Pick<Telemetry, "metrics" | "logger">;
}

const realm = "plumbline";
/** The client addresses that are remembered. */
const maxClients = 50_000;

/**
 * Admits the callers that the access rule of a method names. A token that was not verified before
 * counts against the rate of its client's address before any work with keys, so that guessing is
 * slow and cheap. A token that is known passes all the same.
 */
export function guard({ rules, auth, newTokens, telemetry }: GuardOptions): Guard {
  const { metrics, logger } = telemetry;
  const refusals = metrics.counter("auth_refusals_total", "Requests refused for who sends them.", ["reason"]);
  const unverified = new Gcra(maxClients);

  const principalOf = (request: Request, client: string): Principal | Promise<Principal> => {
    const token = writtenToken(authorizationsOf(request.rawHeaders));
    const known = auth.verifier.known(token);
    if (known !== undefined) return known;
    // A known token had the right characters when it was new.
    checkToken(token);
    const { allowed, retryAfterMs } = unverified.take(client, newTokens());
    if (!allowed) throw tooManyTokens(retryAfterMs);
    return auth.verifier.verify(token);
  };

  const refuse = (error: unknown, scopes: readonly string[], request: Request, response: Response): never => {
    if (!isServiceError(error)) throw error;
    const { code, reason } = error;
    refusals.inc({ reason: reason ?? code });
    if (error instanceof TokenError) logger.debug("token refused", { part: error.part, expected: error.expected });
    if (code === "unauthenticated" || code === "permission_denied") {
      response.setHeader("WWW-Authenticate", challenge({ realm, reason, scopes, metadata: metadataUrl(request) }));
    }
    throw error;
  };

  return (binding, request, response) => {
    const rule = rules.get(binding.rpcPath);
    if (rule?.kind === "public") return undefined;
    const scopes = rule?.kind === "scopes" ? rule.scopes : [];
    const exchange = exchangeOf(response);
    const withScopes = (principal: Principal): Principal => {
      exchange.principal = principal;
      requireScopes(principal, scopes);
      // Such a stream would end at once, and its client come back until the tolerance is over.
      if (binding.streams && principal.expiresMs <= Date.now()) {
        throw new TokenError("TOKEN_EXPIRED", "exp", "a time in the future, for a stream");
      }
      return principal;
    };
    try {
      const principal = principalOf(request, exchange.clientKey);
      if (!(principal instanceof Promise)) return withScopes(principal);
      return principal.then(withScopes).catch((error: unknown) => refuse(error, scopes, request, response));
    } catch (error) {
      return refuse(error, scopes, request, response);
    }
  };
}

const keys = new WeakMap<Principal, string>();
const keyPrefix = "p:";

/** Returns true for a key of `principalKey`. No address starts so. */
export function isPrincipalKey(key: string): boolean {
  return key.startsWith(keyPrefix);
}

/**
 * Returns the key that a caller's shares are counted under: 45 visible characters, which no address
 * has. All tokens of a subject are one caller.
 */
export function principalKey(principal: Principal): string {
  let key = keys.get(principal);
  if (key === undefined) {
    key = `${keyPrefix}${createHash("sha256").update(principal.subject).digest("base64url")}`;
    keys.set(principal, key);
  }
  return key;
}

/** Returns every Authorization field. `headers` has only the first. */
function authorizationsOf(raw: readonly string[]): string[] {
  const values: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    if (raw[at]?.length === 13 && raw[at]?.toLowerCase() === "authorization") values.push(raw[at + 1] ?? "");
  }
  return values;
}

function tooManyTokens(retryAfterMs: number): ServiceError {
  return new ServiceError(
    "resource_exhausted",
    "This client sends too many access tokens that were not seen before. Try again after the time in Retry-After.",
    { reason: "TOO_MANY_TOKENS", retryAfterMs },
  );
}
