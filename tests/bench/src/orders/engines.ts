import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, startKafka, startPostgres, whyNoKafka } from "@plumbline/tools-engines";

/**
 * The engines of all systems: a Postgres that syncs each commit to disk, and a Kafka if there is a
 * JVM.
 */
export interface Engines extends AsyncDisposable {
  /** The URL of the superuser. */
  readonly postgresUrl: string;
  readonly postgresPid: number;
  readonly kafkaPort: number | undefined;
  readonly kafkaPid: number | undefined;
}

/** Starts the engines of `npm start`, with its settings, on new data. */
export async function startEngines({ kafka: wanted = true } = {}): Promise<Engines> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "plumbline-bench-data-")), (path) =>
    rmSync(path, { recursive: true, force: true }),
  );
  const settings = { max_connections: 300 }; // For several systems at once.
  const postgres = stack.use(
    await startPostgres({ dataDir: join(folder, "postgres"), port: await freePort(), settings }),
  );
  const why = wanted ? whyNoKafka() : undefined;
  if (why !== undefined) console.log(`SKIPPED  the systems on Kafka: ${why}`);
  const kafka =
    wanted && why === undefined ? stack.use(await startKafka({ dataDir: join(folder, "kafka") })) : undefined;
  const owned = stack.move();
  return {
    postgresUrl: postgres.url,
    postgresPid: postgres.pid,
    kafkaPort: kafka?.port,
    kafkaPid: kafka?.pid,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
