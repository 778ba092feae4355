import { ServiceError } from "@plumbline/errors";
import type { RequestHandler } from "express";
import { exchangeOf } from "../http/exchange.ts";
import { clientKey } from "./client-key.ts";
import type { Decision } from "./gcra.ts";
import type { RateLimiter, RateLimits } from "./rate-limiter.ts";

/**
 * Refuses what comes too fast with RATE_LIMITED: per client address first, then for all together, so that one client's
 * flood is not taken from the others' share. Fields as in draft-ietf-httpapi-ratelimit-headers-10.
 */
export function limitRate(limiter: RateLimiter, limits: () => RateLimits): RequestHandler {
  return async (_request, response, next) => {
    const { perClient, global } = limits();
    const verdict = await limiter.take(clientKey(exchangeOf(response).client), { perClient, global });
    if (perClient.perSecond > 0) {
      response.setHeader(
        "RateLimit-Policy",
        `"client";q=${perClient.burst};w=${Math.ceil(perClient.burst / perClient.perSecond)}`,
      );
      response.setHeader(
        "RateLimit",
        `"client";r=${verdict.client.remaining};t=${Math.ceil(verdict.client.resetMs / 1000)}`,
      );
    }
    if (!verdict.client.allowed) throw limited("You send requests too fast.", verdict.client);
    if (verdict.global?.allowed === false) {
      throw limited("The gateway receives more requests than it takes.", verdict.global);
    }
    next();
  };
}

function limited(message: string, { retryAfterMs }: Decision): ServiceError {
  return new ServiceError("resource_exhausted", message, { reason: "RATE_LIMITED", retryAfterMs });
}
