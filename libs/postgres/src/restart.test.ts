import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { codeOf } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { freePort, startPostgres } from "@plumbline/tools-engines";
import { eventually } from "../test/support.ts";
import { openDatabase } from "./index.ts";

test("while the server is down every call is unavailable, and after its restart everything works again", async () => {
  const folder = await mkdtemp(join(tmpdir(), "plumbline-restart-"));
  try {
    const dataDir = join(folder, "data");
    const port = await freePort();
    const start = async () => await startPostgres({ dataDir, port, settings: { fsync: false } });
    let server = await start();
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => await server[Symbol.asyncDispose]());
    const database = stack.use(
      await openDatabase({ url: server.url, applicationName: "r", connectTimeoutMs: 2000 }, noTelemetry),
    );
    await database.query("CREATE TABLE t (a int)");
    await database.query("INSERT INTO t VALUES (1)");
    const listener = stack.use(await database.listen("news"));
    const asleep = assert.rejects(database.query("SELECT pg_sleep(60)"), { code: "unavailable" });
    await eventually(
      "it sleeps",
      async () =>
        (await database.query("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")).length === 1,
    );

    await server[Symbol.asyncDispose]();
    await asleep;
    const during = async (): Promise<string> => await database.query("SELECT 1").then(() => "ok", codeOf);
    assert.deepEqual(await Promise.all([during(), during(), during()]), ["unavailable", "unavailable", "unavailable"]);
    await assert.rejects(
      database.transaction(async (tx) => await tx.query("SELECT 1")),
      { code: "unavailable" },
    );
    await assert.rejects(database.ping(), { code: "unavailable" });

    server = await start();
    assert.deepEqual(await database.query("SELECT a FROM t"), [{ a: 1 }]);
    const told = await listener[Symbol.asyncIterator]().next();
    assert.deepEqual(told.value, { payload: "", missed: true });

    process.kill(server.pid, "SIGKILL");
    await server.exited;
    server = await start();
    assert.deepEqual(await database.query("SELECT a FROM t"), [{ a: 1 }]);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 20 });
  }
});

test("openDatabase waits for a server that is starting", async () => {
  const folder = await mkdtemp(join(tmpdir(), "plumbline-restart-"));
  try {
    const port = await freePort();
    const url = `postgresql://postgres:known@127.0.0.1:${port}/postgres`;
    const opening = openDatabase({ url, applicationName: "early", connectTimeoutMs: 20_000 }, noTelemetry);
    await using _server = await startPostgres({
      dataDir: join(folder, "data"),
      port,
      password: "known",
      settings: { fsync: false },
    });
    await using database = await opening;
    await database.ping();
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 20 });
  }
});
