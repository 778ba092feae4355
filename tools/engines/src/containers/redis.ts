import { GenericContainer, Wait } from "testcontainers";
import { hostOf } from "./available.ts";

export const redisImage = "redis:8";

/** Starts a Redis for tests in a container, without files on disk. */
export async function startRedisContainer(): Promise<AsyncDisposable & { readonly url: string }> {
  const container = await new GenericContainer(redisImage)
    .withCommand(["redis-server", "--save", "", "--appendonly", "no"])
    .withExposedPorts(6379)
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .withStartupTimeout(60_000)
    .start();
  return {
    url: `redis://${hostOf(container)}:${container.getMappedPort(6379)}`,
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}
