import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, startKafka, startPostgres, whyNoKafka } from "@plumbline/tools-engines";

/** What all systems share: a Postgres that syncs each commit to disk, and a Kafka where there is a JVM for it. */
export interface Engines extends AsyncDisposable {
  /** The superuser's. */
  readonly postgresUrl: string;
  readonly postgresPid: number;
  readonly kafkaPort: number | undefined;
  readonly kafkaPid: number | undefined;
}

/** The engines of `npm start`, with its settings, on data of this run. */
export async function startEngines(): Promise<Engines> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "plumbline-bench-data-")), (path) =>
    rmSync(path, { recursive: true, force: true }),
  );
  const settings = { max_connections: 300 }; // Of several systems at once.
  const postgres = stack.use(
    await startPostgres({ dataDir: join(folder, "postgres"), port: await freePort(), settings }),
  );
  const why = whyNoKafka();
  if (why !== undefined) console.log(`SKIPPED  the systems on Kafka: ${why}`);
  const kafka = why === undefined ? stack.use(await startKafka({ dataDir: join(folder, "kafka") })) : undefined;
  const owned = stack.move();
  return {
    postgresUrl: postgres.url,
    postgresPid: postgres.pid,
    kafkaPort: kafka?.port,
    kafkaPid: kafka?.pid,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
