import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";
import { codeOf, isServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { DatabaseError } from "pg";
import { backends, eventually, open } from "../test/support.ts";
import { isUniqueViolation, openDatabase, type Queryable, sqlStateOf } from "./index.ts";

for (const { name, sql, want } of [
  { name: "a bigint arrives as a bigint", sql: "9007199254740993::bigint", want: 9007199254740993n },
  { name: "a count arrives as a bigint", sql: "count(*)", want: 1n },
  {
    name: "bigints in an array arrive as bigints",
    sql: "'{{1,NULL},{-2,3}}'::bigint[]",
    want: [
      [1n, null],
      [-2n, 3n],
    ],
  },
  {
    name: "a numeric arrives as a string, with every digit",
    sql: "0.10000000000000000001::numeric",
    want: "0.10000000000000000001",
  },
  {
    name: "a timestamptz arrives as a Date",
    sql: "'2026-01-02 03:04:05.678+02'::timestamptz",
    want: new Date("2026-01-02T01:04:05.678Z"),
  },
  {
    name: "a timestamp without a zone arrives as written",
    sql: "'2026-01-02 03:04:05'::timestamp",
    want: "2026-01-02 03:04:05",
  },
  { name: "a date arrives as written", sql: "'2026-01-02'::date", want: "2026-01-02" },
  { name: "dates in an array arrive as written", sql: "'{2026-01-02}'::date[]", want: ["2026-01-02"] },
  { name: "jsonb arrives parsed", sql: `'{"a":[1]}'::jsonb`, want: { a: [1] } },
  { name: "bytea arrives as bytes", sql: "'\\x00ff'::bytea", want: Buffer.from([0, 255]) },
  { name: "NULL arrives as null", sql: "NULL::bigint", want: null },
]) {
  test(name, async () => {
    await using place = await open();
    assert.deepEqual(await place.database.query(`SELECT ${sql} AS v`), [{ v: want }]);
  });
}

test("bigint, Date, bytes, arrays and null can be sent and received", async () => {
  await using place = await open();
  const values = [9007199254740993n, new Date("2026-01-02T01:04:05.678Z"), Buffer.from([0, 255]), ["a", 'b"'], null];
  const sql = "SELECT $1::bigint AS a, $2::timestamptz AS b, $3::bytea AS c, $4::text[] AS d, $5::int AS e";
  assert.deepEqual(Object.values((await place.database.query(sql, values))[0] ?? {}), values);
  assert.deepEqual(await place.database.query("SELECT $1::bytea AS v", [new Uint8Array([1, 2])]), [
    { v: Buffer.from([1, 2]) },
  ]);
});

test("the server probes a silent client, so that no lock outlives a forgotten connection", async () => {
  await using place = await open();
  const names = [
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_keepalives_count",
    "tcp_user_timeout",
    "idle_session_timeout",
  ];
  const sql = "SELECT s.name, s.setting FROM unnest($1::text[]) WITH ORDINALITY n JOIN pg_settings s ON s.name = n.n";
  const read = async (from: Queryable) =>
    Object.fromEntries((await from.query(`${sql} ORDER BY ordinality`, [names])).map((row) => [row.name, row.setting]));
  const pooled = await read(place.database);
  const session = await place.database.session(read);
  const [idle, interval, count, timeout, withoutHeartbeat] = names.map((name) => Number(pooled[name]));
  assert.deepEqual([idle, interval, count], [10, 5, 3]);
  assert.equal(withoutHeartbeat, 30_000);
  if (process.platform === "linux") assert.equal(timeout, 25_000);
  assert.deepEqual(session, pooled);
});

test("a named statement is prepared once per connection", async () => {
  await using place = await open({ poolSize: 1 });
  for (let i = 0; i < 3; i++) await place.database.query("SELECT $1::int AS v", [i], { name: "echo" });
  const sql = "SELECT name, generic_plans + custom_plans AS plans FROM pg_prepared_statements";
  assert.deepEqual(await place.database.query(sql), [{ name: "echo", plans: 3n }]);
});

test("a named statement works again after its table changed and it failed once", async () => {
  await using place = await open({ poolSize: 1 });
  const { database } = place;
  await database.query("CREATE TABLE t (a int)");
  const read = async () => await database.query("SELECT * FROM t", [], { name: "read" });
  await read();
  await database.query("ALTER TABLE t ADD b int");
  await assert.rejects(read(), /cached plan/);
  assert.deepEqual(await read(), []);
});

test("an error of the server is thrown as it is, and the connection is kept", async () => {
  await using place = await open({ poolSize: 1 });
  const { database } = place;
  const pid = async () => (await database.query("SELECT pg_backend_pid() AS pid"))[0]?.["pid"];
  const before = await pid();
  await database.query("CREATE TABLE t (a int CONSTRAINT only_one UNIQUE)");
  await database.query("INSERT INTO t VALUES (1)");
  await assert.rejects(database.query("INSERT INTO t VALUES ($1)", [1]), (error) => {
    assert.ok(error instanceof DatabaseError);
    assert.equal(sqlStateOf(error), "23505");
    assert.ok(isUniqueViolation(error) && isUniqueViolation(error, "only_one") && !isUniqueViolation(error, "another"));
    return true;
  });
  await assert.rejects(database.query("SELEC 1"), { code: "42601" });
  assert.equal(await pid(), before);
});

test("a value that cannot be written or read fails only its own call", async () => {
  await using place = await open({ poolSize: 1 });
  const { database } = place;
  const circular: { self?: unknown } = {};
  circular.self = circular;
  await assert.rejects(database.query("SELECT $1::jsonb AS v", [circular]), TypeError);
  await assert.rejects(database.query("SELECT $1::jsonb AS v", [circular], { name: "named" }), TypeError);
  assert.deepEqual(await database.query("SELECT $1::jsonb AS v", [{ a: 1 }], { name: "named" }), [{ v: { a: 1 } }]);
});

test("a transaction begun by query is refused and rolled back", async () => {
  await using place = await open({ poolSize: 1 });
  const { database } = place;
  await assert.rejects(database.query("BEGIN; CREATE TABLE t ()"), /use transaction\(\)/);
  assert.deepEqual(await database.query("SELECT to_regclass('t') AS t"), [{ t: null }]);
});

test("an unreachable server is unavailable within the timeout, with its address and without the password", async () => {
  const url = "postgresql://role:hunter2@127.0.0.1:1/orders";
  const start = performance.now();
  await assert.rejects(openDatabase({ url, applicationName: "test", connectTimeoutMs: 300 }, noTelemetry), (error) => {
    assert.ok(isServiceError(error));
    assert.equal(error.code, "unavailable");
    assert.match(error.message, /database "orders" at 127\.0\.0\.1:1: .*ECONNREFUSED/);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter2/);
    return true;
  });
  assert.ok(performance.now() - start < 2000);
});

test("a server that never answers is unavailable within the timeout", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((listening) => silent.listen(0, "127.0.0.1", listening));
  try {
    const address = silent.address();
    const url = `postgresql://a@127.0.0.1:${typeof address === "object" ? address?.port : 0}/a`;
    const opening = openDatabase({ url, applicationName: "test", connectTimeoutMs: 200 }, noTelemetry);
    await assert.rejects(opening, (error) => codeOf(error) === "unavailable");
  } finally {
    silent.close();
  }
});

test("a missing database is a failed precondition at once", async () => {
  await using place = await open();
  const url = new URL(place.url);
  url.pathname = "/nowhere";
  const opening = openDatabase({ url: url.href, applicationName: "test" }, noTelemetry);
  await assert.rejects(opening, { code: "failed_precondition", message: /database "nowhere" does not exist/ });
});

test("the URL may be a secret", async () => {
  await using place = await open();
  await using database = await openDatabase({ url: { reveal: () => place.url }, applicationName: "test" }, noTelemetry);
  await database.ping();
});

test("ping can be passed as a health check", async () => {
  await using place = await open();
  const { ping } = place.database;
  await ping();
  await assert.rejects(ping({ signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("closing waits for running statements and refuses new ones", async () => {
  await using place = await open();
  const database = await openDatabase({ url: place.url, applicationName: "closing", poolSize: 2 }, noTelemetry);
  const running = database.query("SELECT pg_sleep(0.2), 1 AS done");
  const closed = database[Symbol.asyncDispose]();
  await assert.rejects(database.query("SELECT 1"), { code: "unavailable" });
  assert.equal((await running)[0]?.["done"], 1);
  await closed;
  await eventually("its connections are gone", async () => (await backends(place.database)) === 0);
});

test("closing destroys connections that are in use after its timeout", async () => {
  await using place = await open();
  const database = await openDatabase({ url: place.url, applicationName: "closing", closeTimeoutMs: 100 }, noTelemetry);
  const outcome = assert.rejects(database.query("SELECT pg_sleep(60)"), { code: "unavailable" });
  await database[Symbol.asyncDispose]();
  await outcome;
});
