import { GenericContainer, Wait } from "testcontainers";
import { hostOf } from "./available.ts";

export const postgresImage = "postgres:18";

/**
 * Starts a PostgreSQL for tests in a container. Disposing removes it; testcontainers' reaper does
 * so if this process dies first.
 */
export async function startPostgresContainer(): Promise<AsyncDisposable & { readonly url: string }> {
  const container = await new GenericContainer(postgresImage)
    .withEnvironment({ POSTGRES_PASSWORD: "test", PGDATA: "/var/lib/postgresql/18/docker" })
    .withTmpFs({ "/var/lib/postgresql": "rw" })
    .withCommand([
      "postgres",
      "-c",
      "fsync=off",
      "-c",
      "synchronous_commit=off",
      "-c",
      "full_page_writes=off",
      "-c",
      "max_connections=300",
    ])
    .withExposedPorts(5432)
    // Two times: the image starts the server once to initialise the folder, and once to serve.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .withStartupTimeout(120_000)
    .start();
  return {
    url: `postgresql://postgres:test@${hostOf(container)}:${container.getMappedPort(5432)}/postgres`,
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}
