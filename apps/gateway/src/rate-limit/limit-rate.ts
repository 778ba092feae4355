import { isIPv6 } from "node:net";
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
      if (perClient.perSecond > 0) describe(response, perClient, verdict.client);
      if (!verdict.client.allowed) throw limited("This client sends", perClient, verdict.client);
      if (verdict.global?.allowed === false) throw limited("All clients together send", global, verdict.global);
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

function limited(who: string, { perSecond }: Rate, { retryAfterMs }: Decision): ServiceError {
  return new ServiceError(
    "resource_exhausted",
    `${who} more than ${perSecond} requests per second. Wait for the time in Retry-After, then send the request again.`,
    { reason: "RATE_LIMITED", retryAfterMs },
  );
}

/**
 * Returns the key that a client is counted under: its IPv4 address, or the first 64 bits of its
 * IPv6 address, since one client owns all addresses below those. An IPv4 address written as IPv6
 * (`::ffff:192.0.2.1`) counts as the IPv4 address.
 */
export function clientKey(address: string | undefined): string {
  if (address === undefined) return "unknown";
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.replace(/%.*$/, "").toLowerCase().split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array<string>(zeros).fill("0"), ...after].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}
