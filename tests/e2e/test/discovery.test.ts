/** The gateway finds orders in etcd and in Consul, where the replicas register themselves. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  eventually,
  type ListeningService,
  runService,
  startService,
  type TestDatabase,
  testConsul,
  testDatabase,
  testEtcd,
  whyNoConsul,
  whyNoEtcd,
} from "@plumbline/tools-engines";
import { call, post } from "../src/http.ts";

/** A new replica has to get calls within this time. */
const newReplicaMs = 10_000;

/** A killed replica is out within this time: a lease of 3 s, or a failed check, and some more. */
const goneMs = 8_000;

const engines = new AsyncDisposableStack();
let database: TestDatabase;
let messaging: TestDatabase;
before(async () => {
  database = engines.use(await testDatabase());
  messaging = engines.use(await testDatabase());
  const { code, output } = await runService("orders", storage(), ["migrate"]);
  assert.equal(code, 0, output);
});
after(() => engines.disposeAsync());

function storage(): Readonly<Record<string, string>> {
  return { ORDERS_DATABASE_URL: database.url, ORDERS_MESSAGING_URL: messaging.url };
}

/** Starts a replica that registers itself. Resolves once it is registered. */
async function startOrders(registration: Readonly<Record<string, string>>): Promise<ListeningService> {
  const orders = await startService("orders", {
    ...storage(),
    ...registration,
    ORDERS_RPC_HOST: "127.0.0.1",
    ORDERS_RPC_PORT: "0",
    ORDERS_OPS_HOST: "127.0.0.1",
    ORDERS_OPS_PORT: "0",
    ORDERS_DRAIN_MS: "1500",
  });
  await orders.process.logged("registered");
  return orders;
}

/** Returns what etcd has of a service, by its gateway of JSON over HTTP. */
async function inEtcd(url: string, service: string): Promise<readonly unknown[]> {
  const key = `plumbline/services/${service}/`;
  // The range ends at the same key with the byte after the slash.
  const range = { key: btoa(key), range_end: btoa(`${key.slice(0, -1)}0`) };
  const { json } = await post(`${url}/v3/kv/range`, range);
  return (json["kvs"] as unknown[] | undefined) ?? [];
}

/** Returns the instances of a service whose checks pass. */
async function inConsul(url: string, service: string): Promise<readonly unknown[]> {
  const answer = await fetch(`${url}/v1/health/service/${service}?passing=1`);
  return (await answer.json()) as readonly unknown[];
}

/** Returns the number of calls of the API that a replica has answered. */
async function callsOf({ opsPort }: ListeningService): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
  const counts = text.matchAll(/^rpc_server_call_duration_seconds_count\{[^}]*GetOrder[^}]*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Reads one order about thirty times a second, each time on its own, until disposed. */
function reads(url: string) {
  const failures: string[] = [];
  const over = new AbortController();
  let answered = 0;
  async function read(): Promise<void> {
    try {
      const { status, text } = await call(url);
      if (status === 200) answered++;
      else failures.push(`${status} ${text}`);
    } catch (error) {
      failures.push(String(error));
    }
  }
  const pending = new Set<Promise<void>>();
  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const one = read().finally(() => pending.delete(one));
      pending.add(one);
      await sleep(33);
    }
    await Promise.all(pending);
  };
  const ended = run();
  return {
    failures,
    answered: () => answered,
    async [Symbol.asyncDispose]() {
      over.abort();
      await ended;
    },
  };
}

for (const { kind, transport, skip, open, store, registered } of [
  {
    kind: "etcd",
    transport: "grpc-js",
    skip: whyNoEtcd() ?? false,
    open: testEtcd,
    store: "ETCD_ENDPOINTS",
    registered: inEtcd,
  },
  {
    kind: "consul",
    transport: "http2",
    skip: whyNoConsul() ?? false,
    open: testConsul,
    store: "CONSUL_URL",
    registered: inConsul,
  },
]) {
  test(`replicas in ${kind} that come, drain and are killed, under load over ${transport}`, { skip }, async () => {
    await using registry = await open();
    const service = `orders-${crypto.randomUUID()}`;
    const registration = {
      ORDERS_REGISTRATION_REGISTRY: kind,
      ORDERS_REGISTRATION_SERVICE: service,
      ORDERS_REGISTRATION_LEASE_SECONDS: "3",
      [`ORDERS_REGISTRATION_${store}`]: registry.url,
    };
    await using drained = await startOrders(registration);
    await using killed = await startOrders(registration);
    const target = `${kind}:///${service}`;
    await using gateway = await startService("gateway", {
      GATEWAY_HTTP_HOST: "127.0.0.1",
      GATEWAY_HTTP_PORT: "0",
      GATEWAY_AUTH_OFF: "true",
      GATEWAY_OPS_HOST: "127.0.0.1",
      GATEWAY_OPS_PORT: "0",
      GATEWAY_TRANSPORT: transport,
      GATEWAY_UPSTREAMS_ORDERS: target,
      GATEWAY_UPSTREAMS_GREETER: target,
      GATEWAY_UPSTREAMS_FULFILMENT: target,
      GATEWAY_RATE_LIMIT_PER_CLIENT_PER_SECOND: "0",
      [`GATEWAY_DISCOVERY_${store}`]: registry.url,
    });
    const base = `http://127.0.0.1:${gateway.port}`;
    const placed = await eventually(
      () => post(`${base}/v1/orders`, { customerId: "found", items: [{ sku: "tea", quantity: 1 }] }),
      ({ status }) => status === 200,
      20_000,
    );
    const order = `${base}/v1/orders/${String(placed.json["id"])}`;
    await using load = reads(order);

    for (const replica of [drained, killed])
      await eventually(
        () => callsOf(replica),
        (calls) => calls > 20,
        20_000,
      );

    await using added = await startOrders(registration);
    const from = performance.now();
    await eventually(
      () => callsOf(added),
      (calls) => calls > 0,
      newReplicaMs,
    );
    console.log(`    ${kind}: a new replica has calls after ${Math.round(performance.now() - from)} ms`);

    assert.deepEqual(await drained.process.end("SIGTERM"), [0, null]);
    const before = load.answered();
    await eventually(load.answered, (count) => count > before + 30, 20_000);
    assert.deepEqual(load.failures, [], "neither a new replica nor a drained one fails a call");

    const killedAt = performance.now();
    await killed.process.end("SIGKILL");
    // The gateway leaves a connection that is refused at once, without waiting for the registry.
    await sleep(1_000);
    const failed = load.failures.length;
    await eventually(
      () => registered(registry.url, service),
      (ports) => ports.length === 1,
      goneMs,
    );
    console.log(`    ${kind}: the killed replica is out after ${Math.round(performance.now() - killedAt)} ms`);
    const answered = load.answered();
    await eventually(load.answered, (count) => count > answered + 60, 20_000);
    console.log(`    ${kind}: ${failed} calls failed by the kill`);
    assert.equal(load.failures.length, failed, load.failures.at(-1));
    assert.ok((await callsOf(added)) > 60);
  });
}
