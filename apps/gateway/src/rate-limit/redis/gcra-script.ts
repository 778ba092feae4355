import { defineScript } from "@redis/client";
import { decide } from "../gcra.ts";
import type { RateLimits, Verdict } from "../rate-limiter.ts";

/** Milliseconds by Redis's clock, so that the clocks of the gateways do not matter; since 2025, so that a double has room for fractions. */
const serverClock = `
local time = redis.call("TIME")
local now = (time[1] - 1735689600) * 1000 + time[2] / 1000`;

/**
 * What `Gcra.take` does, for a client and then for all, in one round trip that nothing comes between. KEYS: the client's
 * bucket, the bucket of all. ARGV: rate and burst of each; a rate of 0 is no limit. Returns for each bucket asked whether it
 * allows and in how many milliseconds it is full again (as text: Redis cuts the fraction off numbers). A full bucket is
 * no key: each expires when it is full.
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

/** The script under another clock than the server's: `now` is Lua. For tests. */
export function gcraScript(now = serverClock): string {
  return `${now}${takeBoth}`;
}

/** What the script returns: allowed and fullInMs of the client, and, when that one may pass, of all. */
type Reply = readonly (number | string | undefined)[];

export const take = defineScript({
  SCRIPT: gcraScript(),
  NUMBER_OF_KEYS: 2,
  parseCommand(parser, keys: readonly [client: string, everyone: string], { perClient, global }: RateLimits) {
    parser.pushKeys([...keys]);
    parser.push(...[perClient.perSecond, perClient.burst, global.perSecond, global.burst].map(String));
  },
  transformReply: (reply: unknown) => reply as Reply,
});

export function verdictOf(reply: Reply, { perClient, global }: RateLimits): Verdict {
  const client = decide(reply[0] === 1, Number(reply[1]), perClient);
  return reply.length === 2 ? { client } : { client, global: decide(reply[2] === 1, Number(reply[3]), global) };
}
