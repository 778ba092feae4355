import assert from "node:assert/strict";
import { test } from "node:test";
import { deadline } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { startProxy } from "../test/proxy.ts";
import { eventually, open, running } from "../test/support.ts";
import { openDatabase } from "./index.ts";

test("an aborted query has ended on the server when its call rejects with the signal's reason", async () => {
  await using place = await open();
  const caller = new AbortController();
  const reason = new Error("the client hung up");
  const query = place.database.query("SELECT pg_sleep(60) /* slow */", [], { signal: caller.signal });
  const outcome = assert.rejects(query, (error) => error === reason);
  await eventually("the statement runs", async () => (await running(place.database, "/* slow */")) === 1);
  caller.abort(reason);
  await outcome;
  assert.equal(await running(place.database, "/* slow */"), 0);
});

test("an aborted signal sends no statement", async () => {
  await using place = await open();
  await assert.rejects(place.database.query("CREATE TABLE t ()", [], { signal: AbortSignal.abort() }), {
    name: "AbortError",
  });
  assert.deepEqual(await place.database.query("SELECT to_regclass('t') AS t"), [{ t: null }]);
});

test("a cancel that overtakes its statement is repeated until the statement ends", async () => {
  await using place = await open({ poolSize: 2, cancelAfterMs: 0 });
  // Aborted in the turn it was sent. The cancel is a small message, the statement a big one that
  // takes parsing.
  const padding = `/* ${"x".repeat(4_000_000)} */`;
  for (let i = 0; i < 10; i++) {
    const caller = new AbortController();
    const query = place.database.query(`SELECT pg_sleep(60) ${padding}`, [], { signal: caller.signal });
    setImmediate(() => caller.abort());
    const start = performance.now();
    await assert.rejects(query, { name: "AbortError" });
    assert.ok(performance.now() - start < 1900, "the connection was destroyed instead of the statement cancelled");
  }
});

test("a cancel never hits another query, whatever the timing", { timeout: 120_000 }, async () => {
  await using place = await open({ poolSize: 2, cancelAfterMs: 0 });
  const { database } = place;
  let aborted = 0;
  let completed = 0;
  async function victim(): Promise<void> {
    // Searches for the moment at which statement and cancel meet: later after an abort in time,
    // earlier after a late one.
    let ms = 4;
    for (let i = 0; i < 400; i++) {
      const caller = new AbortController();
      const timer = setTimeout(() => caller.abort(), ms);
      try {
        await database.query("SELECT pg_sleep(0.001)", [], { signal: caller.signal });
        completed++;
        ms = Math.max(0.5, ms - Math.random());
      } catch (error) {
        assert.equal((error as Error).name, "AbortError");
        aborted++;
        ms += Math.random();
      } finally {
        clearTimeout(timer);
      }
    }
  }
  let innocent = 0;
  const done = new AbortController();
  async function bystander(): Promise<void> {
    while (!done.signal.aborted) {
      const rows = await database.query("SELECT pg_sleep(0.002), 7 AS seven");
      assert.equal(rows[0]?.["seven"], 7);
      innocent++;
    }
  }
  const bystanders = [bystander(), bystander()];
  await Promise.all([victim(), victim()]);
  done.abort();
  await Promise.all(bystanders);
  assert.ok(aborted > 100 && completed > 100, `aborted ${aborted}, completed ${completed}: both must happen`);
  assert.ok(innocent > 100);
});

test("a connection is not reused before its cancel is done", async () => {
  await using place = await open();
  await using proxy = await startProxy(place.url);
  await using database = await openDatabase({ url: proxy.url, applicationName: "late", poolSize: 1 }, noTelemetry);
  const caller = new AbortController();
  const query = database.query("SELECT pg_sleep(0.3)", [], { signal: caller.signal });
  const outcome = assert.rejects(query, { name: "AbortError" });
  await eventually("the statement runs", async () => (await running(place.database, "pg_sleep(0.3)")) === 1);
  // The cancel request is delayed in the network until its statement has ended.
  proxy.freezeNew();
  const before = proxy.links;
  caller.abort();
  const next = database.query("SELECT pg_sleep(0.2), 'untouched' AS state");
  await eventually("the cancel request is under way", () => proxy.links > before);
  await eventually("the statement is over", async () => (await running(place.database, "pg_sleep(0.3)")) === 0);
  assert.equal(await running(place.database, "untouched"), 0, "the next query waits");
  proxy.thaw();
  await outcome;
  assert.equal((await next)[0]?.["state"], "untouched");
});

test("a statement that ends soon after its caller gave up costs no cancel", async () => {
  await using place = await open();
  await using proxy = await startProxy(place.url);
  const options = { url: proxy.url, applicationName: "soon", poolSize: 1, cancelAfterMs: 30_000 };
  await using database = await openDatabase(options, noTelemetry);
  const caller = new AbortController();
  const outcome = assert.rejects(database.query("SELECT pg_sleep(0.3) /* short */", [], { signal: caller.signal }), {
    name: "AbortError",
  });
  await eventually("the statement runs", async () => (await running(place.database, "/* short */")) === 1);
  const before = proxy.links;
  caller.abort();
  await outcome;
  assert.equal(proxy.links, before);
});

test("a connection whose cancel is not answered is destroyed in bounded time and replaced", async () => {
  await using place = await open();
  await using proxy = await startProxy(place.url);
  await using database = await openDatabase(
    { url: proxy.url, applicationName: "frozen", poolSize: 1, cancelTimeoutMs: 200 },
    noTelemetry,
  );
  const first = await database.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  const caller = new AbortController();
  const outcome = assert.rejects(database.query("SELECT pg_sleep(60) /* cut */", [], { signal: caller.signal }), {
    name: "AbortError",
  });
  await eventually("the statement runs", async () => (await running(place.database, "/* cut */")) === 1);
  proxy.freeze();
  caller.abort();
  await outcome;
  proxy.thaw();
  const second = await database.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  assert.notEqual(second[0]?.pid, first[0]?.pid);
});

test("at its deadline a query is cancelled with deadline_exceeded", async () => {
  await using place = await open();
  using limit = deadline(100);
  await assert.rejects(
    place.database.query("SELECT pg_sleep(60) /* late */", [], limit),
    (error) => codeOf(error) === "deadline_exceeded",
  );
  assert.equal(await running(place.database, "/* late */"), 0);
});

test("the server gets a coarse deadline, and none for a query without one", async () => {
  await using place = await open({ poolSize: 1 });
  const timeout = async (signal?: AbortSignal): Promise<unknown> =>
    (await place.database.query("SELECT current_setting('statement_timeout') AS t", [], { signal }))[0]?.["t"];
  using short = deadline(700);
  using long = deadline(5000);
  assert.equal(await timeout(short.signal), "1s");
  assert.equal(await timeout(long.signal), "8s");
  assert.equal(await timeout(), "0");
  const inside = await place.database.transaction(
    async (tx) => (await tx.query("SELECT current_setting('statement_timeout') AS t"))[0]?.["t"],
    long,
  );
  assert.equal(inside, "8s");
  assert.equal(await timeout(), "0", "the limit of a transaction ends with it");
});

test("the limit of the role is restored after a deadline", async () => {
  await using place = await open();
  const url = new URL(place.url);
  url.searchParams.set("options", "-c statement_timeout=12345");
  await using database = await openDatabase({ url: url.href, applicationName: "limited", poolSize: 1 }, noTelemetry);
  using limit = deadline(700);
  await database.query("SELECT 1", [], limit);
  assert.deepEqual(await database.query("SHOW statement_timeout"), [{ statement_timeout: "12345ms" }]);
});

test("the server's own limit gives deadline_exceeded, an operator's cancel gives aborted", async () => {
  await using place = await open();
  const { database } = place;
  const limited = database.transaction(async (tx) => {
    await tx.query("SET LOCAL statement_timeout = 20");
    await tx.query("SELECT pg_sleep(60)");
  });
  await assert.rejects(limited, (error) => codeOf(error) === "deadline_exceeded");
  const cancelled = assert.rejects(
    database.query("SELECT pg_sleep(60) /* op */"),
    (error) => codeOf(error) === "aborted",
  );
  await eventually("the statement runs", async () => (await running(database, "/* op */")) === 1);
  await database.query(
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%/* op */' AND pid <> pg_backend_pid()",
  );
  await cancelled;
});
