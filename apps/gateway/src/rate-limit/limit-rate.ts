import { ServiceError } from "@plumbline/errors";
import type { RequestHandler } from "express";
import { clientKey } from "./client-key.ts";
import { type Decision, Gcra, type Rate } from "./gcra.ts";

/** The rates in force. Asked with each request, so a change of the settings holds from the next one on. */
export interface RateLimits {
  readonly perClient: Rate;
  readonly global: Rate;
}

/** Clients remembered at once: about 100 bytes each. */
const maxClients = 50_000;

/**
 * Refuses what comes too fast with RATE_LIMITED: per client address first, then for all together, so that one client's
 * flood is not taken from the others' share. Fields as in draft-ietf-httpapi-ratelimit-headers-10.
 */
export function limitRate(limits: () => RateLimits, now?: () => number): RequestHandler {
  const clients = new Gcra(maxClients, now);
  const everyone = new Gcra(1, now);
  return (request, response, next) => {
    const { perClient, global } = limits();
    const client = clients.take(clientKey(request.ip), perClient);
    if (perClient.perSecond > 0) {
      response.setHeader(
        "RateLimit-Policy",
        `"client";q=${perClient.burst};w=${Math.ceil(perClient.burst / perClient.perSecond)}`,
      );
      response.setHeader("RateLimit", `"client";r=${client.remaining};t=${Math.ceil(client.resetMs / 1000)}`);
    }
    if (!client.allowed) throw limited("You send requests too fast.", client);
    const all = everyone.take("", global);
    if (!all.allowed) throw limited("The gateway receives more requests than it takes.", all);
    next();
  };
}

function limited(message: string, { retryAfterMs }: Decision): ServiceError {
  return new ServiceError("resource_exhausted", message, { reason: "RATE_LIMITED", retryAfterMs });
}
