import { startTemporaryConsul, whyNoConsul } from "./consul/test-consul.ts";
import { hasContainer } from "./containers/available.ts";
import { kafkaImage, startKafkaContainer } from "./containers/kafka.ts";
import { postgresImage, startPostgresContainer } from "./containers/postgres.ts";
import { startTemporaryEtcd, whyNoEtcd } from "./etcd/test-etcd.ts";
import { startTemporaryKafka, whyNoKafka } from "./kafka/test-kafka.ts";
import { startTemporaryRedis, whyNoRedis } from "./redis/test-redis.ts";
import { startTemporaryPostgres } from "./test-database.ts";

export interface TestEngines extends AsyncDisposable {
  /**
   * TEST_POSTGRES_URL, TEST_KAFKA_BROKERS, TEST_REDIS_URL, TEST_CONSUL_URL and TEST_ETCD_URL for
   * the processes that run tests; all but the first only if there is one.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** A line for each engine: its version and origin, or the reason why there is none. */
  readonly lines: readonly string[];
}

/**
 * Starts one Postgres, Kafka, Redis, Consul and etcd for a whole run of tests. Each is the first
 * of: the one that the environment names, a container if a Docker engine answers, this machine
 * itself (npm's binaries, the JVM, redis-server, consul, etcd).
 */
export async function startTestEngines(): Promise<TestEngines> {
  await using started = new AsyncDisposableStack();
  const environment: Record<string, string> = {};
  const lines: string[] = [];
  const add = async (
    name: string,
    key: string,
    start: () => Promise<{ value: string; from: string } | { why: string }>,
  ) => {
    if (process.env[key] !== undefined) {
      lines.push(`${name}: ${key} names it`);
      return;
    }
    const engine = await start();
    if ("why" in engine) lines.push(`${name}: NONE, its tests are skipped: ${engine.why}`);
    else {
      environment[key] = engine.value;
      lines.push(`${name}: ${engine.from}`);
    }
  };
  await Promise.all([
    add("Postgres", "TEST_POSTGRES_URL", async () => {
      const container = await fromContainer(postgresImage, startPostgresContainer);
      const server = started.use(container.engine ?? (await startTemporaryPostgres()));
      return { value: server.url, from: container.engine ? container.from : `embedded, from npm${container.from}` };
    }),
    add("Kafka", "TEST_KAFKA_BROKERS", async () => {
      const container = await fromContainer(kafkaImage, startKafkaContainer);
      const why = container.engine ? undefined : whyNoKafka();
      if (why !== undefined) return { why: `${why}${container.from}` };
      const broker = started.use(container.engine ?? (await startTemporaryKafka()));
      return { value: broker.brokers, from: container.engine ? container.from : `on the local JVM${container.from}` };
    }),
    add("Redis", "TEST_REDIS_URL", async () => {
      const why = whyNoRedis();
      if (why !== undefined) return { why };
      const server = started.use(await startTemporaryRedis());
      return { value: server.url, from: server.from };
    }),
    add("Consul", "TEST_CONSUL_URL", async () => {
      const why = whyNoConsul();
      if (why !== undefined) return { why };
      const agent = started.use(await startTemporaryConsul());
      return { value: agent.url, from: agent.from };
    }),
    add("etcd", "TEST_ETCD_URL", async () => {
      const why = whyNoEtcd();
      if (why !== undefined) return { why };
      const server = started.use(await startTemporaryEtcd());
      return { value: server.url, from: server.from };
    }),
  ]);
  const owned = started.move();
  return { environment, lines: lines.toSorted(), [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/**
 * Starts the engine in a container, or returns the reason if that fails: Docker may lack the
 * reaper's image.
 */
async function fromContainer<T>(image: string, start: () => Promise<T>): Promise<{ engine?: T; from: string }> {
  if (!hasContainer(image)) return { from: "" };
  try {
    return { engine: await start(), from: `container ${image}` };
  } catch (error) {
    return {
      from: ` (the container ${image} did not start: ${error instanceof Error ? error.message : String(error)})`,
    };
  }
}
