import assert from "node:assert/strict";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { backends, cut, eventually, open } from "../test/support.ts";
import { openDatabase } from "./index.ts";

const sleep = (seconds: number): string => `SELECT pg_sleep(${seconds})`;

test("there are never more connections than the size of the pool", async () => {
  await using place = await open();
  await using database = await openDatabase({ url: place.url, applicationName: "p", poolSize: 3 }, noTelemetry);
  const work = Promise.all(Array.from({ length: 40 }, () => database.query(sleep(0.01))));
  let most = 0;
  const done = new AbortController();
  void work.finally(() => done.abort());
  while (!done.signal.aborted) most = Math.max(most, await backends(place.database));
  await work;
  assert.equal(most, 3);
});

test("with a full queue callers are refused at once, and those in the queue are served", async () => {
  await using place = await open({ poolSize: 1, maxWaiting: 2 });
  const { database } = place;
  const first = database.query(sleep(0.2));
  const waiting = [database.query("SELECT 1 AS n"), database.query("SELECT 2 AS n")];
  await assert.rejects(database.query("SELECT 3"), { code: "resource_exhausted", reason: "DATABASE_POOL_EXHAUSTED" });
  await first;
  assert.deepEqual(await Promise.all(waiting), [[{ n: 1 }], [{ n: 2 }]]);
});

test("a caller that waits longer than its timeout is refused", async () => {
  await using place = await open({ poolSize: 1, acquireTimeoutMs: 50 });
  const first = place.database.query(sleep(0.3));
  await assert.rejects(place.database.query("SELECT 1"), { code: "resource_exhausted", message: /within 50 ms/ });
  await first;
});

test("a caller that aborts leaves the queue", async () => {
  await using place = await open({ poolSize: 1, maxWaiting: 1 });
  const first = place.database.query(sleep(0.2));
  const caller = new AbortController();
  const second = place.database.query("SELECT 1", [], { signal: caller.signal });
  caller.abort(new Error("gave up"));
  await assert.rejects(second, /gave up/);
  const third = place.database.query("SELECT 3 AS n");
  await first;
  assert.deepEqual(await third, [{ n: 3 }]);
});

test("a connection that is lost while idle is replaced", async () => {
  await using place = await open();
  await using database = await openDatabase({ url: place.url, applicationName: "dies", poolSize: 1 }, noTelemetry);
  await database.query("SELECT 1");
  await cut(place.database, "dies", database);
  assert.deepEqual(await database.query("SELECT 1 AS n"), [{ n: 1 }]);
});

test("a statement whose connection is lost is unavailable, and the next one works", async () => {
  await using place = await open();
  await using database = await openDatabase({ url: place.url, applicationName: "dies", poolSize: 1 }, noTelemetry);
  const outcome = assert.rejects(database.query(sleep(60)), { code: "unavailable" });
  const kill =
    "SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity WHERE application_name = 'dies' AND state = 'active'";
  await eventually("it is killed", async () => (await place.database.query(kill)).length === 1);
  await outcome;
  assert.deepEqual(await database.query("SELECT 1 AS n"), [{ n: 1 }]);
});
