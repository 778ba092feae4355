import { hasContainer } from "../containers/available.ts";
import { redisImage, startRedisContainer } from "../containers/redis.ts";
import { hasRedisServer, startRedis } from "./start-redis.ts";

export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  /** A description of the server and its origin, for a person. */
  readonly from: string;
}

/**
 * Returns the reason why there is no Redis and how to get one, or undefined if tests can run. Pass
 * it to `skip` of a test.
 */
export function whyNoRedis(): string | undefined {
  if (process.env["TEST_REDIS_URL"] !== undefined || hasContainer(redisImage) || hasRedisServer()) return undefined;
  return `needs Redis: no Docker engine has the image ${redisImage} (TEST_ENGINES=docker allows pulling it) and redis-server is not installed; or set TEST_REDIS_URL=redis://host:port to use one that runs`;
}

/**
 * Returns a Redis for tests: that of TEST_REDIS_URL, which concurrent tests share, or one for this
 * caller.
 */
export async function testRedis(): Promise<TestRedis> {
  const named = process.env["TEST_REDIS_URL"];
  if (named === undefined) return await startTemporaryRedis();
  return { url: named, from: "TEST_REDIS_URL names it", [Symbol.asyncDispose]: async () => {} };
}

/**
 * Starts one in a container if a Docker engine answers, or else the redis-server of this machine.
 */
export async function startTemporaryRedis(): Promise<TestRedis> {
  let failure = "";
  if (hasContainer(redisImage)) {
    try {
      return own(await startRedisContainer(), `container ${redisImage}`);
    } catch (error) {
      if (!hasRedisServer()) throw error;
      failure = ` (the container ${redisImage} did not start: ${error instanceof Error ? error.message : String(error)})`;
    }
  }
  return own(await startRedis(), `redis-server of this machine${failure}`);
}

function own(server: AsyncDisposable & { readonly url: string }, from: string): TestRedis {
  return { url: server.url, from, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
