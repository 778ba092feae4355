import assert from "node:assert/strict";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { startProxy } from "../test/proxy.ts";
import { eventually, open } from "../test/support.ts";
import { type Database, type Listener, type Notification, openDatabase } from "./index.ts";

const notify = async (database: Database, payload: string, channel = "news"): Promise<unknown> =>
  await database.query("SELECT pg_notify($1, $2)", [channel, payload]);

const listening =
  "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND query LIKE ANY ('{LISTEN%,UNLISTEN%}')";

/** Collects what a listener yields. */
function collect(listener: Listener): Notification[] {
  const seen: Notification[] = [];
  void (async () => {
    for await (const notification of listener) seen.push(notification);
  })().catch(() => undefined);
  return seen;
}

async function next(listener: Listener): Promise<Notification | undefined> {
  const result = await listener[Symbol.asyncIterator]().next();
  return result.done === true ? undefined : result.value;
}

test("a notification after listen() has resolved arrives, on its channel only", async () => {
  await using place = await open();
  const { database } = place;
  await using news = await database.listen("news");
  await using odd = await database.listen('Odd "name"');
  await notify(database, "1");
  await notify(database, "2", 'Odd "name"');
  assert.deepEqual(await next(news), { payload: "1", missed: false });
  assert.deepEqual(await next(odd), { payload: "2", missed: false });
});

test("all listeners share one connection", async () => {
  await using place = await open();
  await using database = await openDatabase({ url: place.url, applicationName: "shared", poolSize: 1 }, noTelemetry);
  await using stack = new AsyncDisposableStack();
  for (let i = 0; i < 50; i++) stack.use(await database.listen(`channel_${i % 10}`));
  assert.equal((await place.database.query(listening, ["shared"])).length, 1);
});

test("a channel is unsubscribed when its last listener is disposed, and not before", async () => {
  await using place = await open();
  const { database } = place;
  const first = await database.listen("news");
  await using second = await database.listen("news");
  const seen = collect(second);
  await first[Symbol.asyncDispose]();
  await notify(database, "still here");
  await eventually("it arrives", () => seen.length === 1);
  await second[Symbol.asyncDispose]();
  await using third = await database.listen("news");
  await notify(database, "again");
  assert.deepEqual(await next(third), { payload: "again", missed: false });
});

test("iterating ends when the listener is disposed, and throws the reason of an aborted signal", async () => {
  await using place = await open();
  const { database } = place;
  const disposed = await database.listen("news");
  const ended = next(disposed);
  await disposed[Symbol.asyncDispose]();
  assert.equal(await ended, undefined);
  const caller = new AbortController();
  await using aborted = await database.listen("news", { signal: caller.signal });
  const outcome = assert.rejects(next(aborted), /enough/);
  caller.abort(new Error("enough"));
  await outcome;
});

test("after a lost connection every listener gets missed, and later notifications", async () => {
  await using place = await open();
  await using database = await openDatabase({ url: place.url, applicationName: "relistens" }, noTelemetry);
  let reconnects = 0;
  await using news = await database.listen("news", { onReconnect: () => reconnects++ });
  await using other = await database.listen("other");
  const heard = { news: collect(news), other: collect(other) };
  const kill =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'relistens' AND query LIKE 'LISTEN%'";
  for (const round of [1, 2]) {
    assert.equal((await place.database.query(kill)).length, 1);
    await eventually(
      "both get missed",
      () => heard.news.length === 2 * round - 1 && heard.other.length === 2 * round - 1,
    );
    assert.deepEqual(heard.news.at(-1), { payload: "", missed: true });
    await notify(place.database, `${round}`);
    await notify(place.database, `${round}`, "other");
    await eventually("both hear", () => heard.news.length === 2 * round && heard.other.length === 2 * round);
    assert.deepEqual(heard.news.at(-1), { payload: `${round}`, missed: false });
  }
  assert.equal(reconnects, 2);
});

test("the heartbeat finds a connection that is dead without being closed", async () => {
  await using place = await open();
  await using proxy = await startProxy(place.url);
  const options = { applicationName: "beats", heartbeatMs: 50, connectTimeoutMs: 300, cancelTimeoutMs: 200 };
  await using database = await openDatabase({ ...options, url: proxy.url }, noTelemetry);
  await using listener = await database.listen("news");
  const seen = collect(listener);
  proxy.freeze();
  const before = proxy.links;
  await eventually("it tries to connect again", () => proxy.links > before);
  proxy.thaw();
  await eventually("it gets missed", () => seen.some((notification) => notification.missed));
  seen.length = 0;
  await notify(place.database, "after");
  await eventually("it hears", () => seen.some((notification) => notification.payload === "after"));
});

test("listen() during an outage is unavailable within the connect timeout, and works after it", async () => {
  await using place = await open();
  await using proxy = await startProxy(place.url);
  await using database = await openDatabase(
    { url: proxy.url, applicationName: "out", connectTimeoutMs: 300 },
    noTelemetry,
  );
  await using listener = await database.listen("news");
  const seen = collect(listener);
  proxy.freezeNew();
  proxy.cut();
  await assert.rejects(database.listen("other"), { code: "unavailable" });
  proxy.thaw();
  await eventually("the first gets missed", () => seen.length > 0);
  await using other = await database.listen("other");
  await notify(place.database, "x", "other");
  assert.deepEqual(await next(other), { payload: "x", missed: false });
});

test("a listener that reads too slowly gets missed instead of its notifications", async () => {
  await using place = await open();
  const { database } = place;
  await using listener = await database.listen("news");
  await using marker = await database.listen("marker");
  await database.query("SELECT pg_notify('news', i::text) FROM generate_series(1, 1500) AS i");
  await notify(database, "", "marker");
  await next(marker);
  assert.deepEqual(await next(listener), { payload: "", missed: true });
  assert.deepEqual(await next(listener), { payload: "1002", missed: false });
});

test("closing the database ends its listeners and refuses new ones", async () => {
  await using place = await open();
  const database = await openDatabase({ url: place.url, applicationName: "closes" }, noTelemetry);
  const listener = await database.listen("news");
  const ended = next(listener);
  await database[Symbol.asyncDispose]();
  assert.equal(await ended, undefined);
  await assert.rejects(database.listen("news"), { code: "unavailable" });
  await listener[Symbol.asyncDispose]();
  await eventually("it is gone", async () => (await place.database.query(listening, ["closes"])).length === 0);
});
