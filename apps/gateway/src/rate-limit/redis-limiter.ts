import { repeat } from "@plumbline/concurrency";
import type { Telemetry } from "@plumbline/telemetry";
import { createClient, defineScript } from "@redis/client";
import { decide, MemoryLimiter } from "./memory-limiter.ts";
import type { RateLimiter, RateLimits, Verdict } from "./rate-limiter.ts";
import { connectMs, RedisLink } from "./redis-link.ts";

export interface RedisLimiterOptions {
  /**
   * redis://user:password@host:port/database, or rediss: for TLS. A function returns the one in
   * force: when it changes, the connection is replaced within two seconds.
   */
  readonly url: string | (() => string);
  /**
   * The prefix of every key; "plumbline:gateway:rate:" if absent. Gateways with one prefix share
   * their limits.
   */
  readonly prefix?: string | undefined;
  /** The longest that a request waits for Redis; 50 ms if absent. */
  readonly commandMs?: number | undefined;
}

/**
 * Opens a limiter that all gateways share through Redis. While Redis is unreachable each gateway
 * counts on its own, starting from the requests it has already seen: no request fails, none waits
 * longer than `commandMs`, and N gateways together allow up to N times the rate. Resolves when the
 * first attempt to connect has ended, with or without success.
 */
export async function openRedisLimiter(
  { url, prefix = "plumbline:gateway:rate:", commandMs = 50 }: RedisLimiterOptions,
  { logger, metrics }: Pick<Telemetry, "logger" | "metrics">,
): Promise<RateLimiter & AsyncDisposable> {
  const fallbacks = metrics.counter(
    "rate_limit_fallback_total",
    "Requests that this gateway counted on its own because Redis was unreachable.",
    [],
  );
  const current = typeof url === "function" ? url : () => url;
  let used: string | undefined;
  let refused: string | undefined;
  const link = new RedisLink({
    connect: () => newClient((used = current())),
    commandMs,
    onLost: (error) =>
      logger.warn("Redis is unreachable; this gateway limits rates on its own", { error: String(error) }),
    onFound: () => logger.info("Redis is reachable again; gateways share their rate limits"),
  });
  const own = new MemoryLimiter();
  await link.open();
  const renewals = repeat(
    async (signal) => {
      if (current() === used) return;
      await link.renew({ signal });
      logger.info("Redis credentials changed");
    },
    {
      everyMs: 1_000,
      onFailure(error) {
        used = undefined; // Tried again.
        if (refused === current()) return;
        refused = current();
        logger.warn("Redis refuses the changed credentials; keeping the connection", { error: String(error) });
      },
    },
  );
  return {
    async take(client: string, limits: RateLimits): Promise<Verdict> {
      // Counted locally too: a client that has used up its burst must not get another one when
      // Redis fails.
      const alone = own.take(client, limits);
      const keys = [`${prefix}client:${client}`, `${prefix}global`] as const;
      try {
        return verdictOf(await link.run((redis) => redis.take(keys, limits)), limits);
      } catch {
        fallbacks.inc({}); // The link has logged the cause once.
        return alone;
      }
    },
    async [Symbol.asyncDispose]() {
      await renewals[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}

/**
 * Milliseconds by Redis's clock, so that the gateways' clocks do not matter. They count from 2025,
 * so that a double has room for fractions.
 */
const serverClock = `
local time = redis.call("TIME")
local now = (time[1] - 1735689600) * 1000 + time[2] / 1000`;

/**
 * The algorithm of `Gcra.take`, for a client and then for all clients, atomically in one round
 * trip. KEYS: the client's bucket, the global bucket. ARGV: rate and burst of each; a rate of 0 is
 * no limit. Returns for each bucket whether it allows the request, and the milliseconds until it is
 * full again (as text, since Redis truncates numbers). A full bucket needs no key: each key expires
 * when full.
 */
const takeBoth = `
local function take(key, perSecond, burst)
  if perSecond == 0 then return 1, "0" end
  local interval = 1000 / perSecond
  local capacity = burst * interval
  local stored = tonumber(redis.call("GET", key) or now)
  local fullAt = math.min(math.max(stored, now), now + capacity)
  local allowed = fullAt + interval <= now + capacity + 1e-4
  if allowed then fullAt = fullAt + interval end
  if fullAt ~= stored and fullAt > now then
    redis.call("SET", key, string.format("%.17g", fullAt), "PX", math.ceil(fullAt - now))
  end
  return allowed and 1 or 0, string.format("%.17g", fullAt - now)
end
local allowed, fullInMs = take(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]))
if allowed == 0 then return { 0, fullInMs } end
return { 1, fullInMs, take(KEYS[2], tonumber(ARGV[3]), tonumber(ARGV[4])) }`;

/** Returns the script. `now` is Lua that sets the time; tests pass a clock of their own. */
export function gcraScript(now = serverClock): string {
  return `${now}${takeBoth}`;
}

/**
 * The script's result: allowed and fullInMs of the client and, if the client may pass, of all
 * clients.
 */
type Reply = readonly (number | string | undefined)[];

function verdictOf(reply: Reply, { perClient, global }: RateLimits): Verdict {
  const client = decide(reply[0] === 1, Number(reply[1]), perClient);
  return reply.length === 2 ? { client } : { client, global: decide(reply[2] === 1, Number(reply[3]), global) };
}

const take = defineScript({
  SCRIPT: gcraScript(),
  NUMBER_OF_KEYS: 2,
  parseCommand(parser, keys: readonly [client: string, everyone: string], { perClient, global }: RateLimits) {
    parser.pushKeys([...keys]);
    parser.push(...[perClient.perSecond, perClient.burst, global.perSecond, global.burst].map(String));
  },
  transformReply: (reply: unknown) => reply as Reply,
});

function newClient(url: string) {
  return createClient({
    url,
    scripts: { take },
    disableOfflineQueue: true,
    maintNotifications: "disabled",
    name: "plumbline-gateway",
    socket: { connectTimeout: connectMs, reconnectStrategy: false },
  });
}
