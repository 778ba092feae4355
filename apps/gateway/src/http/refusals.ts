import type { Telemetry } from "@plumbline/telemetry";
import { Gcra } from "../rate-limit/memory-limiter.ts";
import type { RateLimiter, RateLimits } from "../rate-limit/rate-limiter.ts";
import type { Refusal, Refusals } from "../server.ts";
import { clientKey, plainAddress } from "./client-address.ts";

/** Lines of the log: one per second on average. A flood is counted and not written. */
const lines = { perSecond: 1, burst: 10 };

const tooMany: Refusal = {
  status: 429,
  title: "Too Many Requests",
  detail: "This client sends more requests than its rate allows.",
  code: "resource_exhausted",
  headers: "Retry-After: 1\r\n",
};

/**
 * Records refusals as requests: in `http_requests_total`, in the log, and against the rate of the
 * connection's peer. A client that sends only such bytes is limited as any other.
 */
export function recordRefusals(
  limiter: RateLimiter,
  limits: () => RateLimits,
  { metrics, logger }: Pick<Telemetry, "metrics" | "logger">,
): Refusals {
  const requests = metrics.counter("http_requests_total", "HTTP requests answered.", ["method", "code"]);
  const log = new Gcra(1);
  let unlogged = 0;
  return {
    async judge(refusal, address) {
      const { client, global } = await limiter.take(clientKey(address), limits());
      const sent = client.allowed && global?.allowed !== false ? refusal : tooMany;
      requests.inc({ method: "OTHER", code: String(sent.status) });
      if (!log.take("", lines).allowed) unlogged += 1;
      else {
        const { status, detail } = sent;
        const peer = address === undefined ? undefined : plainAddress(address);
        logger.info("request refused", { status, detail, client: peer, ...(unlogged > 0 && { unlogged }) });
        unlogged = 0;
      }
      return sent;
    },
  };
}
