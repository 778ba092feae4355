import { ServiceError } from "@plumbline/errors";
import type { RequestHandler, Response } from "express";
import { exchangeOf } from "../http/exchange.ts";
import { clientKey } from "./client-key.ts";
import type { Decision, Rate } from "./gcra.ts";
import type { RateLimiter, RateLimits, Verdict } from "./rate-limiter.ts";

/**
 * Refuses what comes too fast with RATE_LIMITED: per client address first, then for all together, so that one client's
 * flood is not taken from the others' share. Fields as in draft-ietf-httpapi-ratelimit-headers-10.
 */
export function limitRate(limiter: RateLimiter, limits: () => RateLimits): RequestHandler {
  return (_request, response, next) => {
    const { perClient, global } = limits();
    if (perClient.perSecond === 0 && global.perSecond === 0) return next();
    const decide = (verdict: Verdict): void => {
      if (perClient.perSecond > 0) describe(response, perClient, verdict.client);
      if (!verdict.client.allowed) throw limited("You send requests too fast.", verdict.client);
      if (verdict.global?.allowed === false)
        throw limited("The gateway receives more requests than it takes.", verdict.global);
      next();
    };
    const verdict = limiter.take(clientKey(exchangeOf(response).client), { perClient, global });
    return verdict instanceof Promise ? verdict.then(decide) : decide(verdict);
  };
}

function describe(response: Response, { perSecond, burst }: Rate, { remaining, resetMs }: Decision): void {
  response.setHeader("RateLimit-Policy", `"client";q=${burst};w=${Math.ceil(burst / perSecond)}`);
  response.setHeader("RateLimit", `"client";r=${remaining};t=${Math.ceil(resetMs / 1000)}`);
}

function limited(message: string, { retryAfterMs }: Decision): ServiceError {
  return new ServiceError("resource_exhausted", message, { reason: "RATE_LIMITED", retryAfterMs });
}
