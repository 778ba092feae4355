import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { deadline } from "@plumbline/concurrency";
import {
  eventually,
  freePort,
  proxyTo,
  startTemporaryEtcd,
  testEtcd,
  whyNoEtcd,
  whyNoEtcdServer,
} from "@plumbline/tools-engines";
import { openEtcd } from "./etcd.ts";
import { etcdRegistrar } from "./registrar.ts";

const skip = whyNoEtcd() ?? false;
const skipOwn = whyNoEtcdServer() ?? false;
const engines = new AsyncDisposableStack();
let url = "";

before(async () => {
  if (skip === false) url = engines.use(await testEtcd()).url;
});
after(() => engines.disposeAsync());

const ttlSeconds = 3;
const ttlMs = ttlSeconds * 1_000;
const orders = { service: "orders", id: "orders-1", address: { host: "127.0.0.1", port: 50_052 } };

/** A registrar behind a proxy, and the registrations that are in etcd. */
async function open(endpoint: string) {
  const prefix = `test/${crypto.randomUUID()}/`;
  const proxy = await proxyTo(endpoint);
  const direct = openEtcd({ endpoints: [endpoint] });
  const etcd = openEtcd({ endpoints: [new URL(proxy.url).origin] });
  const faults: unknown[] = [];
  const renewed: string[] = [];
  return {
    proxy,
    direct,
    faults,
    renewed,
    registrar: etcdRegistrar(etcd, {
      prefix,
      ttlSeconds,
      onFault: (error) => faults.push(error),
      onRenewed: ({ id }) => renewed.push(id),
    }),
    registered: async (): Promise<string> => {
      const { entries } = await direct.range({ prefix });
      return entries.map(({ key, value }) => `${key.slice(prefix.length)} ${Buffer.from(value).toString()}`).join();
    },
    lease: async (): Promise<bigint> => (await direct.range({ prefix })).entries[0]?.lease ?? 0n,
    remove: () => direct.delete({ prefix }),
    async [Symbol.asyncDispose]() {
      await etcd[Symbol.asyncDispose]();
      await direct[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

const there = 'orders/orders-1 {"host":"127.0.0.1","port":50052}';

test("a server is registered while it is not disposed, longer than its lease", { skip }, async () => {
  await using world = await open(url);
  {
    await using _registration = await world.registrar.register(orders);
    const lease = await world.lease();
    for (let end = performance.now() + ttlMs + 2_000; performance.now() < end; await sleep(100)) {
      assert.equal(await world.registered(), there);
    }
    assert.equal(await world.lease(), lease, "on the same lease");
  }
  assert.equal(await world.registered(), "");
  assert.deepEqual([world.faults, world.renewed], [[], []]);
});

test("a server that is cut off until its lease is lost is registered again within a lease", {
  skip,
  timeout: 60_000,
}, async () => {
  await using world = await open(url);
  await using _registration = await world.registrar.register(orders);
  world.proxy.cut();
  await eventually(world.registered, (found) => found === "", 3 * ttlMs);
  await sleep(2 * ttlMs);
  world.proxy.restore();
  await eventually(world.registered, (found) => found === there, ttlMs);
  // The key is seen before its registrar has the answer.
  await eventually(
    () => world.renewed.join(),
    (found) => found === "orders-1",
  );
});

test("a key that somebody removed is back within a lease", { skip }, async () => {
  await using world = await open(url);
  await using _registration = await world.registrar.register(orders);
  await world.remove();
  await eventually(world.registered, (found) => found === there, ttlMs);
});

test("a lease that somebody revoked is replaced within a lease", { skip }, async () => {
  await using world = await open(url);
  await using _registration = await world.registrar.register(orders);
  await world.direct.revoke(await world.lease());
  assert.equal(await world.registered(), "");
  await eventually(world.registered, (found) => found === there, ttlMs);
});

test("a server is registered after etcd was down for three leases", { skip: skipOwn, timeout: 60_000 }, async () => {
  await using server = await startTemporaryEtcd();
  await using world = await open(server.url);
  await using _registration = await world.registrar.register(orders);
  await server.kill();
  await sleep(3 * ttlMs);
  await server.start();
  await eventually(
    () => world.registered().catch(String),
    (found) => found === there,
    ttlMs,
  );
  // And stays.
  for (let end = performance.now() + 2 * ttlMs; performance.now() < end; await sleep(100)) {
    assert.equal(await world.registered(), there);
  }
});

test("while etcd is away a registration is refused within its deadline, and a removal ends", {
  skip,
  timeout: 30_000,
}, async () => {
  await using away = openEtcd({ endpoints: [`http://127.0.0.1:${await freePort()}`] });
  using limit = deadline(1_000);
  const start = performance.now();
  await assert.rejects(etcdRegistrar(away).register(orders, limit), {
    code: "unavailable",
    message: /^cannot register orders-1 of orders: etcd at .*ECONNREFUSED/,
  });
  assert.ok(performance.now() - start < 2_000);

  await using world = await open(url);
  const registration = await world.registrar.register(orders);
  world.proxy.cut();
  const removal = performance.now();
  await registration[Symbol.asyncDispose]();
  assert.ok(performance.now() - removal < 4_000);
  assert.equal(world.faults.length, 1);
});
