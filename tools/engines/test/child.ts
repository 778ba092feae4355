/**
 * A process for the tests to kill: starts the engine of its first argument, prints one line of
 * JSON, and waits.
 */
import { EngineError, startPostgres, testDatabase } from "../src/index.ts";

const [what, dataDir = "", port = "0"] = process.argv.slice(2);

try {
  if (what === "server") {
    const server = await startPostgres({ dataDir, port: Number(port), settings: { fsync: false } });
    print({ url: server.url, pid: server.pid });
    setInterval(() => undefined, 1000);
  } else if (what === "server-once") {
    await using server = await startPostgres({ dataDir, port: Number(port), settings: { fsync: false } });
    print({ url: server.url, pid: server.pid });
  } else {
    // Not disposed, and the process must still end by itself.
    const database = await testDatabase();
    print({ url: database.url });
    if (what === "database-held") setInterval(() => undefined, 1000);
  }
} catch (error) {
  print({ error: String(error), code: error instanceof EngineError ? error.code : undefined });
  process.exitCode = 1;
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
