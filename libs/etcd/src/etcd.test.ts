import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isServiceError, ServiceError } from "@plumbline/errors";
import { testCa, testClient, testServer } from "@plumbline/rpc/conformance";
import {
  type EtcdServer,
  eventually,
  freePort,
  proxyTo,
  startTemporaryEtcd,
  testEtcd,
  whyNoEtcd,
  whyNoEtcdServer,
} from "@plumbline/tools-engines";
import { changePassword, enableUsers, orders } from "../test/users.ts";
import { type Etcd, openEtcd } from "./etcd.ts";

const skip = whyNoEtcd() ?? false;
const skipOwn = whyNoEtcdServer() ?? false;
let url = "";
const engines = new AsyncDisposableStack();

before(async () => {
  if (skip === false) url = engines.use(await testEtcd()).url;
});
after(() => engines.disposeAsync());

const text = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString();
const freshPrefix = (): string => `test/${crypto.randomUUID()}/`;

function code(expected: string, message: RegExp) {
  return (error: unknown): true => {
    assert.ok(isServiceError(error), `expected a ServiceError, got ${String(error)}`);
    assert.equal(error.code, expected, error.message);
    assert.match(error.message, message);
    return true;
  };
}

test("a range has the keys of its prefix with their values and revisions", { skip }, async () => {
  await using etcd = openEtcd({ endpoints: [url] });
  const prefix = freshPrefix();
  const first = await etcd.put(`${prefix}a`, "1");
  const second = await etcd.put(`${prefix}b`, "2");
  const { entries, revision } = await etcd.range({ prefix });
  assert.deepEqual(
    entries.map((entry) => [entry.key, text(entry.value), entry.revision]),
    [
      [`${prefix}a`, "1", first],
      [`${prefix}b`, "2", second],
    ],
  );
  assert.ok(revision >= second);
  assert.equal((await etcd.range({ key: `${prefix}none` })).entries.length, 0);
  await assert.rejects(etcd.range({ prefix }, { limit: 1 }), code("resource_exhausted", /at most 1 keys/));
  assert.equal(await etcd.delete({ prefix }), 2);
});

test("a transaction writes only if its keys have not changed", { skip }, async () => {
  await using etcd = openEtcd({ endpoints: [url] });
  const prefix = freshPrefix();
  const [a, b] = [`${prefix}a`, `${prefix}b`];
  const writes = [
    { put: a, value: "1" },
    { put: b, value: "1" },
  ];
  assert.equal(await etcd.transact({ unchanged: { [a]: 0n }, writes }), true);
  assert.equal(await etcd.transact({ unchanged: { [a]: 0n }, writes: [{ delete: b }] }), false);
  const { entries } = await etcd.range({ prefix });
  assert.equal(entries.length, 2);
  const unchanged = { [a]: entries[0]?.revision ?? 0n };
  assert.equal(await etcd.transact({ unchanged, writes: [{ delete: a }, { delete: b }] }), true);
  assert.equal((await etcd.range({ prefix })).entries.length, 0);
});

test("a key with a lease is gone when the lease ends, and a lease can be lost", { skip }, async () => {
  await using etcd = openEtcd({ endpoints: [url] });
  const key = `${freshPrefix()}leased`;
  const lease = await etcd.grant(60);
  await etcd.put(key, "1", { lease });
  assert.equal((await etcd.range({ key })).entries[0]?.lease, lease);
  assert.equal(await etcd.renew(lease), true);
  await etcd.revoke(lease);
  assert.equal((await etcd.range({ key })).entries.length, 0);
  assert.equal(await etcd.renew(lease), false);
});

test("a watch yields each change in order, from the revision on", { skip, timeout: 30_000 }, async () => {
  await using etcd = openEtcd({ endpoints: [url] });
  const prefix = freshPrefix();
  const { revision } = await etcd.range({ prefix });
  await etcd.put(`${prefix}a`, "1"); // Before the watch stands.
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const { changes } of etcd.watch({ prefix }, { from: revision + 1n, signal: stop.signal })) {
    for (const { put, deleted } of changes) seen.push(put ? `${put.key}=${text(put.value)}` : `-${deleted}`);
    if (seen.length === 0) {
      await etcd.put(`${prefix}a`, "2");
      await etcd.delete({ key: `${prefix}a` });
    }
    if (seen.length === 3) stop.abort();
  }
  assert.deepEqual(seen, [`${prefix}a=1`, `${prefix}a=2`, `-${prefix}a`]);
});

test("a watch from a compacted revision says so instead of being silent", { skip, timeout: 10_000 }, async () => {
  await using etcd = openEtcd({ endpoints: [url] });
  const key = `${freshPrefix()}a`;
  const from = await etcd.put(key, "1");
  await etcd.put(key, "2");
  await etcd.compact(await etcd.put(key, "3"));
  await assert.rejects(first(etcd, key, from), code("out_of_range", /^etcd at 127.0.0.1:\d+: .*compacted/));
});

async function first(etcd: Etcd, key: string, from: bigint): Promise<void> {
  // Past the answer that the watch stands.
  for await (const { changes } of etcd.watch({ key }, { from })) if (changes.length > 0) return;
}

test("a follower whose start is compacted reads the range again", { skip, timeout: 20_000 }, async () => {
  await using writer = openEtcd({ endpoints: [url] });
  await using etcd = openEtcd({ endpoints: [url] });
  const key = `${freshPrefix()}a`;
  await writer.put(key, "0");
  // Between the range and the watch, as a slow reader would be.
  let compactions = 0;
  const range = etcd.range.bind(etcd);
  etcd.range = async (...args) => {
    const found = await range(...args);
    if (compactions++ > 0) return found;
    for (let value = 1; value <= 5; value++) await writer.put(key, `${value}`);
    await writer.compact((await writer.range({ key })).revision);
    return found;
  };
  const stop = new AbortController();
  for await (const found of etcd.follow({ key }, { signal: stop.signal })) {
    if (text(found.get(key)?.value) === "5") stop.abort();
  }
  assert.ok(compactions >= 2, "it has read the range again");
});

test("a watch whose connection goes silent ends within fifteen seconds", { skip, timeout: 30_000 }, async () => {
  await using proxy = await proxyTo(url);
  await using etcd = openEtcd({ endpoints: [proxy.url] });
  const start = performance.now();
  const watching = (async () => {
    for await (const _ of etcd.watch({ key: freshPrefix() }, { from: 0n })) proxy.silence();
  })();
  await assert.rejects(watching, code("deadline_exceeded", /did not finish within 10000 ms/));
  const took = performance.now() - start;
  assert.ok(took < 15_000, `${took} ms`);
  await etcd.range({ key: "test/none" }); // On a new connection.
});

test("a quiet watch lasts longer than the time of silence", { skip, timeout: 30_000 }, async () => {
  await using etcd = openEtcd({ endpoints: [url] });
  const key = freshPrefix();
  const stop = new AbortController();
  let failure: unknown;
  let changes = -1;
  const watching = (async () => {
    for await (const _ of etcd.watch({ key }, { from: 0n, signal: stop.signal })) changes++;
  })().catch((error: unknown) => {
    failure = error;
  });
  await sleep(12_000); // Signs of life come every three seconds.
  assert.equal(failure, undefined);
  await etcd.put(key, "1");
  await eventually(
    () => changes,
    (seen) => seen === 1,
    2_000,
  );
  stop.abort();
  await watching;
});

test("watches that end leave no watcher at the server", { skip: skipOwn, timeout: 60_000 }, async () => {
  await using server = await startTemporaryEtcd();
  await using etcd = openEtcd({ endpoints: [server.url] });
  const watchers = (): Promise<number> => gauge(server, "etcd_debugging_mvcc_watcher_total");
  const streams = (): Promise<number> => gauge(server, "etcd_debugging_mvcc_watch_stream_total");
  const [watchersBefore, streamsBefore] = [await watchers(), await streams()];
  const stop = new AbortController();
  let standing = 0;
  const all = Array.from({ length: 50 }, async (_, index) => {
    for await (const _ of etcd.watch({ key: `test/${index}` }, { from: 0n, signal: stop.signal })) standing++;
  });
  await eventually(
    () => standing,
    (count) => count === 50,
  );
  assert.equal(await watchers(), watchersBefore + 50);
  stop.abort();
  await Promise.all(all);
  // A loop that leaves by itself, too.
  for (let turn = 0; turn < 50; turn++) {
    for await (const _ of etcd.watch({ key: "test/a" }, { from: 0n })) break;
  }
  await eventually(watchers, (count) => count === watchersBefore);
  await eventually(streams, (count) => count === streamsBefore);
});

async function gauge({ url: server }: EtcdServer, name: string): Promise<number> {
  const metrics = await (await fetch(new URL("/metrics", server))).text();
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(metrics)?.[1]);
}

test("when a member is away the next one is used", { skip }, async () => {
  const dead = `http://127.0.0.1:${await freePort()}`;
  const key = `${freshPrefix()}a`;
  for (let turn = 0; turn < 4; turn++) {
    await using etcd = openEtcd({ endpoints: [dead, url] });
    await etcd.put(key, "1").catch(code("unavailable", /^etcd at 127.0.0.1:\d+ cannot be reached: .*ECONNREFUSED/));
    await etcd.put(key, "2");
  }
});

test("when a member is silent from the start the next one is used", { skip }, async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  const endpoints = [`http://127.0.0.1:${port}`, url];
  const key = `${freshPrefix()}a`;
  try {
    for (let turn = 0; turn < 6; turn++) {
      await using etcd = openEtcd({ endpoints, timeoutMs: 200 });
      let failures = 0;
      for (let call = 0; call < 2; call++) await etcd.put(key, "1").catch(() => failures++);
      assert.ok(failures <= 1);
    }
  } finally {
    silent.close();
  }
});

test("a call to a member that is away ends within its deadline and names it", { skip: false }, async () => {
  const port = await freePort();
  await using etcd = openEtcd({ endpoints: [`http://127.0.0.1:${port}`] });
  const start = performance.now();
  await assert.rejects(
    etcd.range({ key: "a" }),
    code("unavailable", new RegExp(`^etcd at 127.0.0.1:${port} cannot be reached: `)),
  );
  assert.ok(performance.now() - start < 2_500);
});

for (const endpoint of [
  "127.0.0.1:2379",
  "ftp://a:1",
  "http://user:hunter2@a:1",
  "http://a:1/path",
  "http://a:70000",
  "",
]) {
  test(`the endpoint ${JSON.stringify(endpoint)} is refused, and not repeated in the message`, () => {
    assert.throws(
      () => openEtcd({ endpoints: [endpoint] }),
      (error) => error instanceof ServiceError && error.code === "invalid_argument" && !/hunter2/.test(error.message),
    );
  });
}

test("with users, a call needs one, and a wrong password is named without it", { skip: skipOwn }, async () => {
  await using server = await startTemporaryEtcd();
  await enableUsers(server.url);
  const endpoints = [server.url];
  await using nobody = openEtcd({ endpoints });
  await assert.rejects(nobody.range({ key: "test/a" }), code("invalid_argument", /user name is empty/));
  await using wrong = openEtcd({ endpoints, credentials: { ...orders, password: "hunter2" } });
  await assert.rejects(wrong.range({ key: "test/a" }), (error: Error) => {
    code("unauthenticated", /the user orders or its password is wrong/)(error);
    assert.ok(!error.message.includes("hunter2"));
    return true;
  });
  await using etcd = openEtcd({ endpoints, credentials: orders });
  await etcd.put("test/a", "1");
  await assert.rejects(etcd.put("other/a", "1"), code("permission_denied", /permission denied/));
  await assert.rejects(first(etcd, "other/a", 1n), code("permission_denied", /permission denied/));

  // A restart forgets all tokens.
  await server.kill();
  await server.start();
  await etcd.range({ key: "test/a" }).catch(() => {}); // The connection has gone.
  await etcd.put("test/a", "2");

  // So does a new password, which is asked for at the next login.
  let password = orders.password;
  await using rotated = openEtcd({ endpoints, credentials: () => ({ ...orders, password }) });
  await rotated.put("test/a", "3");
  await changePassword(server.url, "next");
  password = "next";
  await rotated.put("test/a", "4");
});

test("over TLS both sides are verified, and each fault has its words", { skip: skipOwn }, async () => {
  await using server = await startTemporaryEtcd({ tls: { ...testServer, clientCa: testCa } });
  const endpoints = [server.url];
  await using etcd = openEtcd({ endpoints, tls: { ca: testCa, ...testClient } });
  await etcd.put("test/a", "1");
  await using untrusted = openEtcd({ endpoints });
  await assert.rejects(untrusted.range({ key: "a" }), code("unavailable", /authority that is not trusted here/));
  await using unknown = openEtcd({ endpoints, tls: { ca: testCa } });
  await assert.rejects(unknown.range({ key: "a" }), code("unavailable", /client certificate|closed the connection/));
  await using plain = openEtcd({ endpoints: [server.url.replace("https", "http")] });
  await assert.rejects(plain.range({ key: "a" }), code("unavailable", /expect TLS/));
});
