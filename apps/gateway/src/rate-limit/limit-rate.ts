import { ServiceError } from "@plumbline/errors";
import type { RequestHandler, Response } from "express";
import { exchangeOf } from "../http/exchange.ts";
import type { Decision, Rate, RateLimiter, RateLimits, Verdict } from "./rate-limiter.ts";

/**
 * Refuses requests that come too fast with RATE_LIMITED. The client's own rate is checked first, so
 * that a flood from one client uses up nothing of the global rate. The headers are those of
 * draft-ietf-httpapi-ratelimit-headers-10.
 */
export function limitRate(limiter: RateLimiter, limits: () => RateLimits): RequestHandler {
  return (_request, response, next) => {
    const { perClient, global } = limits();
    if (perClient.perSecond === 0 && global.perSecond === 0) return next();
    const decide = (verdict: Verdict): void => {
      if (perClient.perSecond > 0) describe(response, "client", perClient, verdict.client);
      if (!verdict.client.allowed) throw limited("This client sends", perClient, verdict.client);
      if (verdict.global?.allowed === false) throw limited("All clients together send", global, verdict.global);
      next();
    };
    const verdict = limiter.take(exchangeOf(response).clientKey, { perClient, global });
    return verdict instanceof Promise ? verdict.then(decide) : decide(verdict);
  };
}

const unlimited: Rate = { perSecond: 0, burst: 1 };

/**
 * Refuses requests of a caller that come too fast, with RATE_LIMITED too. The rate of its address
 * is far higher and was checked before, so a caller that floods takes nothing from others behind
 * its address. The headers name the caller's rate once it refuses.
 */
export function limitPrincipal(
  limiter: RateLimiter,
  rate: () => Rate | undefined,
): (key: string, response: Response) => void | Promise<void> {
  return (key, response) => {
    const perPrincipal = rate() ?? unlimited;
    if (perPrincipal.perSecond === 0) return;
    const decide = ({ client }: Verdict): void => {
      if (client.allowed) return;
      describe(response, "principal", perPrincipal, client);
      throw limited("This caller sends", perPrincipal, client);
    };
    const verdict = limiter.take(key, { perClient: perPrincipal, global: unlimited });
    return verdict instanceof Promise ? verdict.then(decide) : decide(verdict);
  };
}

function describe(
  response: Response,
  policy: string,
  { perSecond, burst }: Rate,
  { remaining, resetMs }: Decision,
): void {
  response.setHeader("RateLimit-Policy", `"${policy}";q=${burst};w=${Math.ceil(burst / perSecond)}`);
  response.setHeader("RateLimit", `"${policy}";r=${remaining};t=${Math.ceil(resetMs / 1000)}`);
}

function limited(who: string, { perSecond }: Rate, { retryAfterMs }: Decision): ServiceError {
  return new ServiceError(
    "resource_exhausted",
    `${who} more than ${perSecond} requests per second. Wait for the time in Retry-After, then send the request again.`,
    { reason: "RATE_LIMITED", retryAfterMs },
  );
}
