/** Statements that share a round trip within a transaction, and those that share it with COMMIT. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deadline } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { type Proxy, startProxy } from "../test/proxy.ts";
import { eventually, open, running } from "../test/support.ts";
import { type Database, openDatabase, sqlStateOf } from "./index.ts";

const insert = (a: number, name = "insert") => ({ name, text: "INSERT INTO t VALUES ($1) RETURNING a", values: [a] });
const sum = { name: "sum", text: "SELECT sum(a)::int AS sum FROM t" };

async function valuesOf(database: Database): Promise<number[]> {
  return (await database.query<{ a: number }>("SELECT a FROM t ORDER BY a")).map(({ a }) => a);
}

/** Opens a database with one connection through a proxy, and a table of different numbers. */
async function openBehindProxy(options: { readonly cancelAfterMs?: number } = {}) {
  await using stack = new AsyncDisposableStack();
  const place = stack.use(await open({ poolSize: 1 }));
  const proxy: Proxy = stack.use(await startProxy(place.url));
  const settings = { url: proxy.url, applicationName: "grouped", poolSize: 1, ...options };
  const database = stack.use(await openDatabase(settings, noTelemetry));
  await database.query("CREATE TABLE t (a int UNIQUE)");
  const owned = stack.move();
  return { database, proxy, outside: place.database, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("groups take one round trip each, the last of them with COMMIT, and return the rows of each statement", async () => {
  await using place = await openBehindProxy();
  const add = async (a: number) =>
    await place.database.transaction(async (tx) => {
      const first = await tx.queryAll([insert(a), sum, insert(a + 1)]);
      return [...first, ...(await tx.commit([insert(a + 2), sum]))];
    });
  await add(1); // The connection prepares the statements, one by one.
  const before = place.proxy.asked;
  const rows = await add(11);
  assert.equal(place.proxy.asked - before, 2);
  assert.deepEqual(rows, [[{ a: 11 }], [{ sum: 17 }], [{ a: 12 }], [{ a: 13 }], [{ sum: 42 }]]);
  assert.deepEqual(await valuesOf(place.database), [1, 2, 3, 11, 12, 13]);
});

test("a transaction that only commits a group takes one round trip", async () => {
  await using place = await openBehindProxy();
  const add = async (a: number) => await place.database.transaction(async (tx) => await tx.commit([insert(a), sum]));
  await add(1);
  const before = place.proxy.asked;
  assert.deepEqual(await add(2), [[{ a: 2 }], [{ sum: 3 }]]);
  assert.equal(place.proxy.asked - before, 1);
});

test("if a statement of a group fails, prepared or not, nothing is kept and the connection stays fit", async () => {
  await using place = await openBehindProxy();
  const { database } = place;
  await database.query("INSERT INTO t VALUES (1)");
  for (const _ of ["not prepared", "prepared"]) {
    for (const group of [
      [insert(2), insert(1)],
      [insert(1), insert(2)],
    ]) {
      const committed = database.transaction(async (tx) => await tx.commit(group));
      await assert.rejects(committed, (error) => sqlStateOf(error) === "23505");
      const queried = database.transaction(async (tx) => await tx.queryAll(group));
      await assert.rejects(queried, (error) => sqlStateOf(error) === "23505");
    }
    assert.deepEqual(await valuesOf(database), [1]);
  }
  assert.equal(place.proxy.links, 1);
});

test("a failure that is swallowed still rejects the transaction", async () => {
  await using place = await openBehindProxy();
  await place.database.query("INSERT INTO t VALUES (1)");
  const inCommit = place.database.transaction(async (tx) => void (await tx.commit([insert(1)]).catch(() => {})));
  await assert.rejects(inCommit, (error) => sqlStateOf(error) === "23505");
  const before = place.database.transaction(async (tx) => {
    await tx.queryAll([insert(2), insert(1)]).catch(() => {});
    await tx.commit([insert(3)]);
  });
  await assert.rejects(before, /nothing was changed/);
  assert.deepEqual(await valuesOf(place.database), [1]);
});

test("nothing may follow the last group", async () => {
  await using place = await openBehindProxy();
  const following = place.database.transaction(async (tx) => {
    await tx.commit([insert(1)]);
    await assert.rejects(tx.query("SELECT 1"), /has ended/);
    await assert.rejects(tx.commit([insert(2)]), /has ended/);
  });
  await following;
  assert.deepEqual(await valuesOf(place.database), [1]);
});

test("the last group is not cancelled by the signal, before its COMMIT or during it", async () => {
  await using place = await openBehindProxy({ cancelAfterMs: 0 });
  const { database } = place;
  await database.query(`
    CREATE FUNCTION slow() RETURNS trigger AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END' LANGUAGE plpgsql;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION slow()`);
  const sleepy = { name: "sleepy", text: "SELECT pg_sleep(0.3)::text" };
  for (const [a, ms] of [
    [1, 100], // in the statement
    [2, 500], // in the COMMIT
    [3, 100], // now that they are prepared, and one group
    [4, 500],
  ] as const) {
    using limit = deadline(ms);
    await database.transaction(async (tx) => await tx.commit([insert(a), sleepy]), limit);
    assert.ok(limit.signal.aborted);
  }
  assert.deepEqual(await valuesOf(database), [1, 2, 3, 4]);
  const cancelled = AbortSignal.abort(new Error("gone"));
  await assert.rejects(
    database.transaction(
      async (tx) => {
        await tx.commit([insert(5)]);
      },
      { signal: cancelled },
    ),
    /gone/,
  );
  const late = new AbortController();
  const aborting = database.transaction(
    async (tx) => {
      await tx.query("INSERT INTO t VALUES (6)");
      late.abort(new Error("gone"));
      await tx.commit([insert(7)]);
    },
    { signal: late.signal },
  );
  await assert.rejects(aborting, /gone/);
  assert.deepEqual(await valuesOf(database), [1, 2, 3, 4]);
});

test("a group before the last is cancelled by the signal", async () => {
  await using place = await openBehindProxy({ cancelAfterMs: 0 });
  const slow = { name: "slow", text: "SELECT pg_sleep(60)::text" };
  for (const _ of ["not prepared", "prepared"]) {
    using limit = deadline(200);
    const started = performance.now();
    const group = place.database.transaction(async (tx) => await tx.queryAll([insert(1), slow]), limit);
    await assert.rejects(group, { name: "TimeoutError" });
    assert.ok(performance.now() - started < 20_000);
  }
  assert.deepEqual(await valuesOf(place.database), []);
});

test("a connection lost during the last group gives the code unknown", async () => {
  await using place = await openBehindProxy();
  const slow = { name: "slow", text: "SELECT pg_sleep($1)::text", values: [0] };
  await place.database.transaction(async (tx) => await tx.commit([insert(1), slow]));
  const outcome = assert.rejects(
    place.database.transaction(async (tx) => await tx.commit([insert(2), { ...slow, values: [1] }])),
    (error) => codeOf(error) === "unknown",
  );
  await eventually("it sleeps", async () => (await running(place.outside, "pg_sleep")) === 1);
  place.proxy.cut();
  await outcome;
});
