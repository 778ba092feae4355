import assert from "node:assert/strict";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, open } from "../test/support.ts";
import { openDatabase } from "./index.ts";

const tryLock = "SELECT pg_try_advisory_lock(7) AS got";

test("a session keeps its locks between statements and releases them at its end, also when it throws", async () => {
  await using place = await open();
  const { database } = place;
  // On a connection that is already open, so that the check follows at once.
  const isFree = async (): Promise<unknown> =>
    (await database.query("SELECT pg_try_advisory_xact_lock(7) AS free"))[0]?.["free"];
  for (let round = 0; round < 10; round++) {
    const failing = database.session(async (holder) => {
      await holder.query(tryLock);
      await holder.query("SELECT 1");
      assert.equal(await isFree(), false);
      throw new Error("done");
    });
    await assert.rejects(failing, /done/);
    assert.equal(await isFree(), true, "the lock is not free after the session");
  }
});

test("sessions use no connections of the pool and are bounded", async () => {
  await using place = await open({ poolSize: 1, maxSessions: 2 });
  const { database } = place;
  await database.session(async () => {
    await database.session(async () => {
      await database.query("SELECT 1");
      await assert.rejects(
        database.session(async () => undefined),
        {
          code: "resource_exhausted",
          reason: "DATABASE_SESSIONS_EXHAUSTED",
        },
      );
    });
  });
  await database.session(async () => undefined);
});

test("a session aborts its signal when its connection is lost", async () => {
  await using place = await open();
  await using database = await openDatabase({ url: place.url, applicationName: "loses" }, noTelemetry);
  const lost = database.session(async (session) => {
    const [row] = await session.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await place.database.query("SELECT pg_terminate_backend($1)", [row?.pid]);
    await eventually("it knows", () => session.signal.aborted);
    throw session.signal.reason;
  });
  await assert.rejects(lost, { code: "unavailable" });
});

test("aborting cancels the running statement of a session", async () => {
  await using place = await open();
  const { database } = place;
  await database.session(async (holder) => {
    await holder.query(tryLock);
    const caller = new AbortController();
    const waiting = database.session(async (session) => await session.query("SELECT pg_advisory_lock(7)"), {
      signal: caller.signal,
    });
    const outcome = assert.rejects(waiting, { name: "AbortError" });
    const waits =
      "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    await eventually("it waits", async () => (await database.query(waits)).length === 1);
    caller.abort();
    await outcome;
    assert.deepEqual(await database.query(waits), []);
  });
});

test("a session runs transactions on its connection", async () => {
  await using place = await open();
  await place.database.session(async (session) => {
    await session.query("CREATE TEMPORARY TABLE t (a int)");
    await session.transaction(async (tx) => await tx.query("INSERT INTO t VALUES (1)"));
    await assert.rejects(
      session.transaction(async (tx) => await tx.query("INSERT INTO t VALUES (1/0)")),
      { code: "22012" },
    );
    assert.deepEqual(await session.query("SELECT * FROM t"), [{ a: 1 }]);
  });
});

test("a session yields its notifications in order, and ends with its signal", async () => {
  await using place = await open();
  const { database } = place;
  const caller = new AbortController();
  const seen: string[] = [];
  const listening = database.session(
    async (session) => {
      for await (const payload of session.notifications("news")) {
        seen.push(payload);
        if (seen.length === 3) caller.abort();
      }
    },
    { signal: caller.signal },
  );
  const outcome = assert.rejects(listening, { name: "AbortError" });
  const listens = "SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN \"news\"'";
  await eventually("it listens", async () => (await database.query(listens)).length === 1);
  for (const payload of ["a", "b", "c"]) await database.query("SELECT pg_notify('news', $1)", [payload]);
  await outcome;
  assert.deepEqual(seen, ["a", "b", "c"]);
});
