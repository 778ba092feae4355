import assert from "node:assert/strict";
import { test } from "node:test";
import { deadline } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { startProxy } from "../test/proxy.ts";
import { eventually, open, running } from "../test/support.ts";
import { type Database, openDatabase, sqlStateOf } from "./index.ts";

async function count(database: Database, table = "t"): Promise<bigint | undefined> {
  return (await database.query<{ n: bigint }>(`SELECT count(*) AS n FROM ${table}`))[0]?.n;
}

test("the changes of a transaction are kept when it returns and rolled back when it throws", async () => {
  await using place = await open();
  const { database } = place;
  await database.query("CREATE TABLE t (a int)");
  assert.equal(
    await database.transaction(async (tx) => (await tx.query("INSERT INTO t VALUES (1)"), "result")),
    "result",
  );
  const failing = database.transaction(async (tx) => {
    await tx.query("INSERT INTO t VALUES (2)");
    throw new Error("changed my mind");
  });
  await assert.rejects(failing, /changed my mind/);
  assert.equal(await count(database), 1n);
});

test("a transaction with a failed statement never reports success", async () => {
  await using place = await open({ poolSize: 1 });
  const { database } = place;
  await database.query("CREATE TABLE t (a int UNIQUE)");
  const swallowing = database.transaction(async (tx) => {
    await tx.query("INSERT INTO t VALUES (1)");
    await tx.query("INSERT INTO t VALUES (1)").catch(() => undefined);
  });
  await assert.rejects(swallowing, (error: Error) => {
    assert.match(error.message, /nothing was changed/);
    assert.equal(sqlStateOf(error.cause), "23505");
    return true;
  });
  assert.equal(await count(database), 0n);
});

test("a statement that was not awaited is refused once the transaction has ended", async () => {
  await using place = await open({ poolSize: 1 });
  const { database } = place;
  const { promise: later, resolve } = Promise.withResolvers<void>();
  let stray: Promise<unknown> | undefined;
  await database.transaction(async (tx) => {
    stray = later.then(() => tx.query("CREATE TABLE stray ()"));
  });
  resolve();
  await assert.rejects(stray ?? Promise.resolve(), /has ended/);
});

test("concurrent statements of one transaction run one after the other", async () => {
  await using place = await open({ poolSize: 1 });
  const rows = await place.database.transaction(
    async (tx) => await Promise.all([1, 2, 3].map(async (n) => await tx.query("SELECT $1::int AS n", [n]))),
  );
  assert.deepEqual(rows.flat(), [{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test("a transaction that was ended by one of its own statements is refused", async () => {
  await using place = await open({ poolSize: 1 });
  const ending = place.database.transaction(async (tx) => await tx.query("COMMIT"));
  await assert.rejects(ending, /ended by one of its own statements/);
});

test("inside a transaction the database refuses queries and transactions, even with an exhausted pool", async () => {
  await using place = await open({ poolSize: 1 });
  const { database } = place;
  await assert.rejects(
    database.transaction(async () => await database.query("SELECT 1")),
    /database\.query inside a transaction/,
  );
  await assert.rejects(
    database.transaction(async () => await database.transaction(async () => undefined)),
    /database\.transaction inside a transaction/,
  );
  await using other = await openDatabase({ url: place.url, applicationName: "other" }, noTelemetry);
  await database.transaction(async () => await other.query("SELECT 1"));
});

test("an aborted transaction is rolled back, its statement cancelled, and rejects with the signal's reason", async () => {
  await using place = await open({ poolSize: 2 });
  const { database } = place;
  await database.query("CREATE TABLE t (a int)");
  const caller = new AbortController();
  const reason = new Error("the client hung up");
  const outcome = assert.rejects(
    database.transaction(
      async (tx) => {
        await tx.query("INSERT INTO t VALUES (1)");
        await tx.query("SELECT pg_sleep(60) /* inside */");
      },
      { signal: caller.signal },
    ),
    (error) => error === reason,
  );
  await eventually("it sleeps", async () => (await running(database, "/* inside */")) === 1);
  caller.abort(reason);
  await outcome;
  assert.equal(await running(database, "/* inside */"), 0);
  assert.equal(await count(database), 0n);
});

test("a signal that aborts between statements rolls back", async () => {
  await using place = await open({ poolSize: 1 });
  const { database } = place;
  await database.query("CREATE TABLE t (a int)");
  const caller = new AbortController();
  const aborted = database.transaction(
    async (tx) => {
      await tx.query("INSERT INTO t VALUES (1)");
      caller.abort();
    },
    { signal: caller.signal },
  );
  await assert.rejects(aborted, { name: "AbortError" });
  assert.equal(await count(database), 0n);
});

/** A table with a slow commit: its trigger runs at the end of the transaction. */
const slowCommit = `
  CREATE TABLE t (a int);
  CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
  CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()`;

test("a COMMIT is not cancelled by the signal, the deadline or the server", async () => {
  await using place = await open();
  const { database } = place;
  await database.query(slowCommit);
  // The server's limit, one second, passes before the commit has ended.
  using limit = deadline(700);
  const result = await database.transaction(async (tx) => (await tx.query("INSERT INTO t VALUES (1)"), "done"), limit);
  assert.equal(result, "done");
  assert.ok(limit.signal.aborted);
  assert.equal(await count(database), 1n);
});

test("a connection lost during COMMIT gives the code unknown", async () => {
  await using place = await open();
  await place.database.query(slowCommit);
  await using proxy = await startProxy(place.url);
  await using database = await openDatabase({ url: proxy.url, applicationName: "torn", poolSize: 1 }, noTelemetry);
  const outcome = assert.rejects(
    database.transaction(async (tx) => await tx.query("INSERT INTO t VALUES (1)")),
    (error) => codeOf(error) === "unknown",
  );
  await eventually("it commits", async () => (await running(place.database, "COMMIT")) === 1);
  proxy.cut();
  await outcome;
  await eventually("it was committed nevertheless", async () => (await count(place.database)) === 1n);
});

test("a COMMIT without an answer times out", async () => {
  await using place = await open();
  await place.database.query("CREATE TABLE t (a int)");
  await using proxy = await startProxy(place.url);
  await using database = await openDatabase(
    { url: proxy.url, applicationName: "mute", poolSize: 1, commitTimeoutMs: 200 },
    noTelemetry,
  );
  const outcome = database.transaction(async (tx) => {
    await tx.query("INSERT INTO t VALUES (1)");
    proxy.freezeAnswers();
  });
  await assert.rejects(outcome, { code: "unknown" });
  await eventually("it was committed", async () => (await count(place.database)) === 1n);
});

test("a COMMIT that the server refuses does not give unknown", async () => {
  await using place = await open();
  const { database } = place;
  await database.query("CREATE TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  await assert.rejects(
    database.transaction(async (tx) => await tx.query("INSERT INTO t VALUES (1), (1)")),
    { code: "23505" },
  );
  assert.equal(await count(database), 0n);
});

/** Runs two transactions that each read what the other writes, so that only one can be first. */
async function collide(
  database: Database,
  retries: number,
): Promise<{ results: PromiseSettledResult<void>[]; runs: number }> {
  await database.query("CREATE TABLE s (a int PRIMARY KEY, b int)");
  await database.query("INSERT INTO s VALUES (1, 0), (2, 0)");
  let runs = 0;
  let readers = 0;
  const bothRead = Promise.withResolvers<void>();
  const side = async (read: number, write: number): Promise<void> =>
    await database.transaction(
      async (tx) => {
        runs++;
        await tx.query("SELECT b FROM s WHERE a = $1", [read]);
        if (++readers === 2) bothRead.resolve();
        await bothRead.promise;
        await tx.query("UPDATE s SET b = b + 1 WHERE a = $1", [write]);
      },
      { isolation: "serializable", retries },
    );
  return { results: await Promise.allSettled([side(1, 2), side(2, 1)]), runs };
}

test("a serialization failure is retried if retries are given", async () => {
  await using place = await open();
  const { results, runs } = await collide(place.database, 5);
  assert.deepEqual(
    results.map((result) => result.status),
    ["fulfilled", "fulfilled"],
  );
  assert.equal(runs, 3);
  assert.deepEqual(await place.database.query("SELECT sum(b) AS n FROM s"), [{ n: 2n }]);
});

test("without retries a serialization failure gives aborted", async () => {
  await using place = await open();
  const { results } = await collide(place.database, 0);
  const failed = results.filter((result) => result.status === "rejected");
  assert.deepEqual(
    failed.map((result) => codeOf(result.reason)),
    ["aborted"],
  );
});

test("a deadlock is resolved by a retry", async () => {
  await using place = await open();
  const { database } = place;
  await database.query("CREATE TABLE s (a int PRIMARY KEY, b int)");
  await database.query("INSERT INTO s VALUES (1, 0), (2, 0)");
  let locked = 0;
  const bothLocked = Promise.withResolvers<void>();
  const side = async (first: number, second: number): Promise<void> =>
    await database.transaction(
      async (tx) => {
        await tx.query("UPDATE s SET b = b + 1 WHERE a = $1", [first]);
        if (++locked === 2) bothLocked.resolve();
        await bothLocked.promise;
        await tx.query("UPDATE s SET b = b + 1 WHERE a = $1", [second]);
      },
      { retries: 5 },
    );
  await Promise.all([side(1, 2), side(2, 1)]);
  assert.deepEqual(await database.query("SELECT sum(b) AS n FROM s"), [{ n: 4n }]);
});

test("other errors are not retried", async () => {
  await using place = await open();
  let runs = 0;
  const failing = place.database.transaction(
    async (tx) => {
      runs++;
      await tx.query("SELECT 1/0");
    },
    { retries: 5 },
  );
  await assert.rejects(failing, { code: "22012" });
  assert.equal(runs, 1);
});

test("the server ends an idle transaction", async () => {
  await using place = await open({ idleInTransactionMs: 100, poolSize: 1 });
  const { database } = place;
  const idle = database.transaction(async (tx) => {
    await tx.query("SELECT 1");
    await new Promise((resolve) => setTimeout(resolve, 400));
    await tx.query("SELECT 2");
  });
  await assert.rejects(idle, { code: "unavailable" });
  await database.ping();
});

test("a transaction of one statement takes two round trips", async () => {
  await using place = await open({ poolSize: 1 });
  await using proxy = await startProxy(place.url);
  await using database = await openDatabase({ url: proxy.url, applicationName: "counted", poolSize: 1 }, noTelemetry);
  await database.query("CREATE TABLE t (a int)");
  const insert = async (a: number) =>
    await database.transaction(async (tx) => await tx.query("INSERT INTO t VALUES ($1)", [a]));
  await insert(1); // The connection prepares what opens a transaction.
  const before = proxy.asked;
  await insert(2);
  assert.equal(proxy.asked - before, 2);
  assert.equal(await count(database), 2n);
});

test("a statement does not run if its BEGIN fails, and the transaction refuses later ones", async () => {
  await using place = await open({ poolSize: 1 });
  const { database } = place;
  await database.query("CREATE TABLE t (a int)");
  await database.transaction(async (tx) => await tx.query("INSERT INTO t VALUES ($1)", [1]));
  await database.query("DEALLOCATE ALL"); // BEGIN was prepared on the connection, and is no more.
  const failing = database.transaction(async (tx) => {
    const insert = async (a: number) => await tx.query("INSERT INTO t VALUES ($1)", [a]);
    const [first, second] = await Promise.allSettled([insert(2), insert(3)]);
    assert.deepEqual([first.status, second.status], ["rejected", "rejected"]);
  });
  await assert.rejects(failing);
  assert.equal(await count(database), 1n);
});

test("a transaction refuses statements once one of its own has ended it", async () => {
  await using place = await open({ poolSize: 1 });
  const { database } = place;
  await database.query("CREATE TABLE t (a int)");
  const ending = database.transaction(async (tx) => {
    await tx.query("COMMIT");
    await tx.query("INSERT INTO t VALUES ($1)", [1]);
  });
  await assert.rejects(ending, /not open/);
  assert.equal(await count(database), 0n);
});
