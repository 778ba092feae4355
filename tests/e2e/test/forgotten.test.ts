/**
 * The network forgets every connection that the system keeps, all at once: nothing arrives, nothing
 * says so, and new connections work. Each kind of connection carries work again within a minute.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  freePort,
  type Proxy,
  proxyTo,
  startKafka,
  whyNoConsul,
  whyNoEtcd,
  whyNoKafka,
} from "@plumbline/tools-engines";
import {
  type Connection,
  type Opened,
  openConsulConnections,
  openEtcdConnections,
  openHttp,
  openKafka,
  openPostgres,
  openRpc,
} from "../src/connections.ts";

/** The promise. */
const againMs = 60_000;

const engines = new AsyncDisposableStack();
const all: Opened[] = [];

before(async () => {
  const kinds: (() => Promise<Opened>)[] = [
    openPostgres,
    openHttp,
    async () => await openRpc("http2"),
    async () => await openRpc("grpc-js"),
  ];
  for (const [why, open] of [
    [whyNoEtcd(), openEtcdConnections],
    [whyNoConsul(), openConsulConnections],
  ] as const) {
    if (why === undefined) kinds.push(open);
    else process.stdout.write(`NOT TESTED: ${why}\n`);
  }
  const whyNot = whyNoKafka();
  if (whyNot === undefined) {
    const proxy = await startKafkaBehindProxy();
    for (const client of ["kafkajs", "platformatic"] as const) kinds.push(async () => await openKafka(client, proxy));
  } else process.stdout.write(`NOT TESTED: ${whyNot}\n`);
  for (const open of kinds) all.push(engines.use(await open()));
  const connections = all.flatMap((one) => one.connections);
  // All of them carry work before they are forgotten.
  await Promise.all(connections.map(async (connection) => await untilItWorks(connection, 60_000)));
});
after(() => engines.disposeAsync());

async function startKafkaBehindProxy(): Promise<Proxy> {
  const dataDir = mkdtempSync(join(tmpdir(), "kafka-forgotten-"));
  engines.defer(() => rmSync(dataDir, { recursive: true, force: true }));
  const port = await freePort();
  const proxy = engines.use(await proxyTo(`http://127.0.0.1:${port}`));
  const settings = { "advertised.listeners": `PLAINTEXT://${new URL(proxy.url).host}` };
  engines.use(await startKafka({ dataDir, port, settings }));
  return proxy;
}

/** Repeats the work until it succeeds. Returns the time that took. */
async function untilItWorks({ name, work, pauseMs = 200 }: Connection, ms: number): Promise<number> {
  const start = performance.now();
  for (;;) {
    const error = await work().then(
      () => undefined,
      (reason: unknown) => reason ?? new Error("no reason"),
    );
    const tookMs = performance.now() - start;
    if (error === undefined && tookMs <= ms) return tookMs;
    if (tookMs > ms) throw new Error(`${name}: nothing flows after ${Math.round(ms / 1_000)} s`, { cause: error });
    await sleep(pauseMs);
  }
}

const proxies = (): ReadonlySet<Proxy> => new Set(all.map(({ proxy }) => proxy));

for (const { what, cut, isFirst = false } of [
  { what: "both directions are cut", cut: (proxy: Proxy) => proxy.silence(), isFirst: true },
  { what: "what clients send is lost", cut: (proxy: Proxy) => proxy.silence("requests") },
  { what: "what servers send is lost", cut: (proxy: Proxy) => proxy.silence("answers") },
  {
    what: "the network holds everything back for ten seconds, and comes back",
    cut: (proxy: Proxy) => {
      proxy.stall();
      setTimeout(() => proxy.restore(), 10_000);
    },
  },
]) {
  test(`every connection carries work again within a minute when ${what}`, {
    timeout: 180_000,
  }, async (context) => {
    for (const proxy of proxies()) cut(proxy);
    const connections = all.flatMap((one) => one.connections).filter(({ idleMs }) => isFirst || idleMs === undefined);
    const results = await Promise.allSettled(
      connections.map(async (connection) => {
        const { name, idleMs = 0 } = connection;
        await sleep(idleMs);
        const tookMs = idleMs + (await untilItWorks(connection, againMs - idleMs));
        context.diagnostic(`${name}: ${(tookMs / 1_000).toFixed(1)} s`);
      }),
    );
    const failed = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
    assert.deepEqual(failed, []);
    for (const { check } of all) check?.();
  });
}
