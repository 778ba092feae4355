import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, loadConfig, watchConfig } from "@plumbline/config";
import { certificateFaults, conformance, type SecuredStore, type Store } from "@plumbline/config/conformance";
import type { ClientTls } from "@plumbline/rpc";
import { type Certificates, testCa, testClient, testFaults, testServer } from "@plumbline/rpc/conformance";
import {
  eventually,
  proxyTo,
  startTemporaryEtcd,
  testEtcd,
  tlsFrontOf,
  whyNoEtcd,
  whyNoEtcdServer,
} from "@plumbline/tools-engines";
import { z } from "zod";
import { enableUsers, orders, root } from "../test/users.ts";
import { type EtcdOptions, openEtcd } from "./etcd.ts";
import { etcdSource } from "./source.ts";

type ClientOptions = Omit<EtcdOptions, "endpoints">;

const engines = new AsyncDisposableStack();
let url = "";
let secured = "";
const secureOptions: ClientOptions = { credentials: orders, tls: { ca: testCa, ...testClient } };

before(async () => {
  if (whyNoEtcd() === undefined) url = engines.use(await testEtcd()).url;
  if (whyNoEtcdServer() !== undefined) return;
  secured = engines.use(await startTemporaryEtcd({ tls: { ...testServer, clientCa: testCa } })).url;
  await enableUsers(secured, secureOptions.tls as { ca: string });
});
after(() => engines.disposeAsync());

/** Opens a document of its own in the server of `address`, which sources reach through a proxy. */
async function storeAt(address: string, options: ClientOptions): Promise<Store> {
  const key = `test/${crypto.randomUUID()}/orders.yaml`;
  const direct = openEtcd({ endpoints: [address], ...options });
  const proxy = await proxyTo(address);
  let clients = new AsyncDisposableStack();
  return {
    origin: `etcd://${new URL(proxy.url).host}/${key}`,
    source(sourceOptions) {
      const etcd = clients.use(openEtcd({ endpoints: [new URL(proxy.url).origin], ...options }));
      return etcdSource(etcd, key, sourceOptions);
    },
    put: async (text) => void (await direct.put(key, text)),
    delete: async () => void (await direct.delete({ key })),
    cut: () => proxy.cut(),
    mute: () => proxy.silence(),
    restore: () => proxy.restore(),
    async loseHistory() {
      const { revision } = await direct.range({ key });
      // Since etcd 3.6 only root may compact.
      await compact(address, { ...options, ...(options.credentials && { credentials: root }) }, revision);
    },
    async release() {
      await clients.disposeAsync();
      clients = new AsyncDisposableStack();
    },
    connections: () => proxy.connections(),
    async [Symbol.asyncDispose]() {
      await clients.disposeAsync();
      await direct.delete({ key });
      await direct[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

async function compact(address: string, options: ClientOptions, revision: bigint): Promise<void> {
  await using etcd = openEtcd({ endpoints: [address], ...options });
  await etcd.compact(revision);
}

conformance({ name: "etcd", skip: whyNoEtcd(), isRemote: true, open: () => storeAt(url, {}) });

conformance({
  name: "etcd over TLS with users",
  skip: whyNoEtcdServer(),
  isRemote: true,
  open: () => storeAt(secured, secureOptions),
});

/** Opens a document that sources reach over TLS, with a client certificate. */
async function openSecured(): Promise<SecuredStore> {
  const key = `test/${crypto.randomUUID()}/orders.yaml`;
  await using opened = new AsyncDisposableStack();
  const direct = opened.use(openEtcd({ endpoints: [url] }));
  let certificates: Certificates = testFaults.none;
  const front = opened.use(await tlsFrontOf(url, certificates.server, { clientCa: testCa }));
  const tls = (): ClientTls => certificates.client;
  const client = opened.use(openEtcd({ endpoints: [`https://${front.host}`], tls }));
  const owned = opened.move();
  return {
    origin: front.host,
    source: (onStale) => etcdSource(client, key, { onStale }),
    put: async (text) => void (await direct.put(key, text)),
    set(fault) {
      certificates = testFaults[fault ?? "none"];
      front.present(certificates.server);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

certificateFaults({ name: "etcd", skip: whyNoEtcd(), open: openSecured });

const schema = z.object({ rate: z.int().default(10) });
const skipOwn = whyNoEtcdServer() ?? false;

test("after a restart of etcd changes are seen, and meanwhile the last value stays", { skip: skipOwn }, async () => {
  await using server = await startTemporaryEtcd();
  await using writer = openEtcd({ endpoints: [server.url] });
  await using etcd = openEtcd({ endpoints: [server.url] });
  const key = "test/orders.yaml";
  await writer.put(key, "rate: 1");
  const stop = new AbortController();
  const seen: (number | string)[] = [];
  const stale: number[] = [];
  const source = etcdSource(etcd, key, { onStale: ({ ageMs }) => stale.push(ageMs) });
  const watching = (async () => {
    for await (const { config, error } of watchConfig(schema, [source], stop.signal)) {
      seen.push(config?.rate ?? String(error));
    }
  })();
  await eventually(
    () => seen,
    ({ length }) => length === 1,
  );
  await using _stop = { [Symbol.asyncDispose]: async () => (stop.abort(), await watching) };
  await server.kill();
  await eventually(
    () => stale,
    ({ length }) => length === 1,
  );
  await sleep(4_000); // At least two more reads fail.
  await server.start();
  await eventually(
    () =>
      writer.put(key, "rate: 2").then(
        () => true,
        () => false,
      ),
    Boolean,
  );
  await eventually(
    () => seen,
    (all) => all.at(-1) === 2,
    5_000,
  );
  assert.deepEqual(seen, [1, 2]);
  assert.equal(stale.length, 1, "an outage is reported once");
});

test("a user that may not read the key is a problem at once, which names both", { skip: skipOwn }, async () => {
  await using etcd = openEtcd({ endpoints: [secured], ...secureOptions });
  await using wrong = openEtcd({
    endpoints: [secured],
    ...secureOptions,
    credentials: { ...orders, password: "hunter2" },
  });
  for (const [client, expected] of [
    [etcd, /^.*other\/orders.yaml\): expected a user that may read the key .*permission denied/m],
    [wrong, /^.*other\/orders.yaml\): expected a user and a password that etcd knows/m],
  ] as const) {
    const start = performance.now();
    await assert.rejects(loadConfig(schema, [etcdSource(client, "other/orders.yaml")]), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, expected);
      assert.ok(!error.message.includes("hunter2"));
      return true;
    });
    assert.ok(performance.now() - start < 2_000);
  }
});
