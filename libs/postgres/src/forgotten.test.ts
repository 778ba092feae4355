/** Connections that the network has forgotten: nothing arrives, nothing says so, new ones work. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { type Direction, proxyTo } from "@plumbline/tools-engines";
import { eventually, open } from "../test/support.ts";
import { type DatabaseOptions, openDatabase } from "./index.ts";

const soon = { heartbeatMs: 100, connectTimeoutMs: 2_000, cancelTimeoutMs: 300, statementMs: 3_000 };

/** Opens a database through a proxy, and another one directly. */
async function openBehindProxy(options: Partial<DatabaseOptions> = soon) {
  await using opening = new AsyncDisposableStack();
  const direct = opening.use(await open());
  const proxy = opening.use(await proxyTo(direct.url));
  const database = opening.use(
    await openDatabase({ url: proxy.url, applicationName: "forgotten", ...options }, noTelemetry),
  );
  const opened = opening.move();
  return { database, proxy, direct: direct.database, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** The statements of this database that wait for an advisory lock. */
const waiting =
  "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

for (const direction of [undefined, "requests", "answers"] satisfies (Direction | undefined)[]) {
  const cut = direction === undefined ? "both directions are" : `the direction of ${direction} is`;

  test(`idle connections are replaced when ${cut} cut`, async () => {
    await using place = await openBehindProxy();
    const { database, proxy } = place;
    await Promise.all(Array.from({ length: 5 }, () => database.query("SELECT pg_sleep(0.1)")));
    assert.ok(proxy.connections() >= 5);
    proxy.silence(direction);
    await eventually("they are gone", () => proxy.connections() === 0);
    await database.query("SELECT 1");
  });

  test(`a statement without a deadline ends when ${cut} cut`, async () => {
    await using place = await openBehindProxy({ ...soon, heartbeatMs: 60_000 });
    const { database, proxy } = place;
    await place.direct.session(async (session) => {
      await session.query("SELECT pg_advisory_lock(1)");
      const running = database.query("SELECT pg_advisory_xact_lock(1)");
      running.catch(() => undefined); // Awaited below.
      await eventually("it runs", async () => (await place.direct.query(waiting)).length === 1);
      proxy.silence(direction);
      await session.query("SELECT pg_advisory_unlock(1)");
      if (direction === "requests") await running;
      else await assert.rejects(running, (error) => codeOf(error) === "deadline_exceeded");
    });
    await assert.doesNotReject(
      async () =>
        await eventually("queries work", () =>
          database.query("SELECT 1").then(
            () => true,
            () => false,
          ),
        ),
    );
  });

  test(`a session ends when ${cut} cut`, async () => {
    await using place = await openBehindProxy();
    const lost = place.database.session(async ({ signal }) => {
      place.proxy.silence(direction);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      signal.throwIfAborted();
    });
    await assert.rejects(lost, { code: "unavailable" });
  });
}

test("a session that does nothing is kept alive by its heartbeat", async () => {
  await using place = await open({ heartbeatMs: 100 });
  const changed = await place.database.session(async (session) => {
    await session.query("SET idle_session_timeout TO 2000");
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    return await session.query("SELECT 1 AS one");
  });
  assert.deepEqual(changed, [{ one: 1 }]);
});

test("connections that were stalled and came back are used again or replaced, and answers are never mixed up", async () => {
  await using place = await openBehindProxy();
  const { database, proxy } = place;
  const ask = async (n: number): Promise<unknown> =>
    await database.query("SELECT $1::int AS n", [n]).then(
      ([row]) => row?.n,
      () => undefined,
    );
  await Promise.all([ask(0), ask(0), ask(0)]);
  for (let round = 0; round < 5; round++) {
    proxy.stall();
    const asked = [1, 2, 3, 4].map((n) => 10 * round + n);
    const answers = Promise.all(asked.map(ask));
    await new Promise((resolve) => setTimeout(resolve, 100 * round));
    proxy.restore();
    for (const [place, answer] of (await answers).entries()) assert.ok(answer === undefined || answer === asked[place]);
  }
  await eventually("queries work", async () => (await ask(7)) === 7);
});

test("a database that refuses writes fails its health check, and passes it again afterwards", async () => {
  await using place = await open({ poolSize: 2 });
  const { database } = place;
  const [row] = await database.query<{ name: string }>("SELECT current_database() AS name");
  const set = async (value: string) =>
    await database.transaction(async (tx) => {
      await tx.query("SET TRANSACTION READ WRITE");
      await tx.query(`ALTER DATABASE "${row?.name}" SET default_transaction_read_only = ${value}`);
    });
  await database.ping();
  await set("on");
  await database.session(async () => undefined); // New connections still open.
  await using replaced = await openDatabase({ url: place.url, applicationName: "test" }, noTelemetry);
  await assert.rejects(replaced.ping(), { code: "unavailable", reason: "DATABASE_READ_ONLY", message: /is read-only/ });
  await assert.rejects(replaced.query("CREATE TABLE written (id int)"), {
    code: "unavailable",
    reason: "DATABASE_READ_ONLY",
    message: /takes no writes: check that it is the primary/,
  });
  await set("off");
  await replaced.ping();
});
