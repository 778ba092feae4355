import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Abortable, background, deadline, sleep } from "@plumbline/concurrency";
import { openConsul, putKey, watchKey } from "@plumbline/consul";
import { GreeterService } from "@plumbline/contracts";
import { type Etcd, openEtcd } from "@plumbline/etcd";
import {
  appendToOutbox,
  type Broker,
  connectBroker,
  createMessage,
  type Message,
  openPostgresBroker,
  outboxMigration,
  relayOutbox,
} from "@plumbline/messaging";
import { migrate, openDatabase } from "@plumbline/postgres";
import { connect, createClient, HealthService, serve, service, type TransportName } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { type Proxy, proxyTo, testConsul, testDatabase, testEtcd } from "@plumbline/tools-engines";

/** A connection through a proxy, and the work that it carries. */
export interface Connection {
  readonly name: string;
  /**
   * Does a piece of work that needs the connection, within a few seconds. Rejects while the work
   * does not flow.
   */
  readonly work: () => Promise<unknown>;
  /** The pause before the next piece of work. Default 200 ms. */
  readonly pauseMs?: number;
  /** The time after the network forgot the connections in which nothing is asked. */
  readonly idleMs?: number;
}

/** Connections of one kind. Disposing closes them. */
export interface Opened extends AsyncDisposable {
  readonly proxy: Proxy;
  readonly connections: readonly Connection[];
  /** Throws if something that was accepted is missing. */
  readonly check?: () => void;
}

const workMs = 3_000;

/** Waits for news: the values that arrived over a connection. */
class News {
  readonly #seen = new Set<string>();

  readonly add = (value: string): void => void this.#seen.add(value);

  has(value: string): boolean {
    return this.#seen.has(value);
  }

  async until(value: string): Promise<void> {
    using limit = deadline(workMs);
    while (!this.#seen.has(value)) await sleep(20, limit);
  }
}

/** Events that were accepted and events that arrived. */
class Events {
  readonly #arrived = new News();
  readonly #sent = new Set<string>();
  /** The one that is on its way. A new one would hide that it was lost. */
  #pending: Message | undefined;

  readonly handle = async ({ message: { id } }: { readonly message: Message }): Promise<void> => this.#arrived.add(id);

  async send(accept: (message: Message) => Promise<void>): Promise<void> {
    const id = randomUUID();
    const data = new Uint8Array([1]);
    this.#pending ??= createMessage({ id, source: "/test", type: "test", key: id, contentType: "text/plain", data });
    const message = this.#pending;
    if (!this.#sent.has(message.id)) {
      await accept(message);
      this.#sent.add(message.id);
    }
    await this.#arrived.until(message.id);
    this.#pending = undefined;
  }

  check(): void {
    const missing = [...this.#sent].filter((id) => !this.#arrived.has(id));
    if (missing.length > 0) throw new Error(`${missing.length} events are lost`);
  }
}

/** The pool, listening, the session of a relay, and a subscription with its locks. */
export async function openPostgres(): Promise<Opened> {
  await using stack = new AsyncDisposableStack();
  const place = stack.use(await testDatabase());
  const events = stack.use(await testDatabase());
  const proxy = stack.use(await proxyTo(place.url));
  const direct = stack.use(await openDatabase({ url: place.url, applicationName: "direct" }, noTelemetry));
  await migrate(direct, [{ id: 1, ...outboxMigration }]);
  const database = stack.use(await openDatabase({ url: proxy.url, applicationName: "forgotten" }, noTelemetry));
  await Promise.all(Array.from({ length: 5 }, () => database.query("SELECT pg_sleep(0.1)")));

  const heard = new News();
  const listener = stack.use(await database.listen("news"));
  void (async () => {
    for await (const { payload } of listener) heard.add(payload);
  })();

  const relayed = new Events();
  const publisher = {
    publish: async (_topic: string, messages: readonly Message[]) => {
      for (const message of messages) await relayed.handle({ message });
    },
  };
  stack.use(await relayOutbox(database, publisher, noTelemetry));

  const throughProxy = new URL(events.url);
  throughProxy.host = new URL(proxy.url).host; // Both databases are on one server.
  const outside = stack.use(await openPostgresBroker({ url: events.url }, noTelemetry));
  const inside = stack.use(await openPostgresBroker({ url: throughProxy.href }, noTelemetry));
  const flow = await subscribe(stack, outside, inside);
  const closing = stack.move();
  return {
    proxy,
    connections: [
      {
        name: "Postgres, the pool",
        async work() {
          using limit = deadline(workMs);
          await database.query("SELECT 1", [], limit);
        },
      },
      {
        name: "Postgres, listening",
        async work() {
          const payload = randomUUID();
          await direct.query("SELECT pg_notify('news', $1)", [payload]);
          await heard.until(payload);
        },
      },
      {
        name: "Postgres, the relay of an outbox",
        work: async () =>
          await relayed.send(async (message) => {
            await direct.transaction(async (tx) => await appendToOutbox(tx, "topic", message));
          }),
      },
      { name: "Postgres, a subscription with its locks", work: flow.work },
    ],
    check() {
      relayed.check();
      flow.check();
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

async function subscribe(stack: AsyncDisposableStack, publisher: Broker, subscriber: Broker) {
  const topic = `forgotten-${randomUUID()}`;
  const flow = new Events();
  await subscriber.createTopics([topic], { partitions: 3 });
  stack.use(await subscriber.subscribe(topic, flow.handle, { group: "g", concurrency: 4 }));
  return {
    work: async () =>
      await flow.send(async (message) => {
        using limit = deadline(workMs * 10); // A relay would go on.
        await publisher.publish(topic, [message], limit);
      }),
    check: () => flow.check(),
  };
}

/** The producer, the consumer and the admin of a client of a Kafka behind `proxy`. */
export async function openKafka(client: "kafkajs" | "platformatic", proxy: Proxy): Promise<Opened> {
  await using stack = new AsyncDisposableStack();
  const brokers = [new URL(proxy.url).host];
  const kafka = { client, brokers, clientId: "forgotten" };
  const broker = stack.use(await connectBroker({ adapter: "kafka", kafka }, noTelemetry));
  const flow = await subscribe(stack, broker, broker);
  const closing = stack.move();
  return {
    proxy,
    connections: [
      { name: `Kafka, events through ${client}`, work: flow.work },
      {
        name: `Kafka, questions of health through ${client}`,
        async work() {
          using limit = deadline(workMs);
          await broker.ping(limit);
        },
      },
    ],
    check: flow.check,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** A health that changes twice a second, so that its stream carries something. */
const health = {
  status: async () => "SERVING" as const,
  async *watch({ signal }: Abortable = {}) {
    for (let turn = 0; ; turn++) {
      yield turn % 2 === 0 ? ("SERVING" as const) : ("NOT_SERVING" as const);
      await sleep(500, { signal });
    }
  },
};
const greeter = service(GreeterService, { sayHello: async ({ name }) => ({ message: name }) });

/** A channel for each pattern of calls. */
export async function openRpc(transport: TransportName): Promise<Opened> {
  await using stack = new AsyncDisposableStack();
  const parts = { services: [greeter], health, telemetry: noTelemetry };
  const server = stack.use(await serve(parts, { host: "127.0.0.1", port: 0, transport, graceMs: 100 }));
  const proxy = stack.use(await proxyTo(`http://127.0.0.1:${server.port}`));
  const open = async () => stack.use(await connect(new URL(proxy.url).host, noTelemetry, { transport }));
  const call = async (): Promise<() => Promise<unknown>> => {
    const client = createClient(GreeterService, await open());
    await client.sayHello({ name: "first" });
    return async () => await client.sayHello({ name: "again" }, { timeoutMs: workMs });
  };

  const streams = createClient(HealthService, await open());
  const last = { tickAt: 0 };
  stack.use(
    background(async (signal) => {
      while (!signal.aborted) {
        try {
          for await (const _ of streams.watch({ service: "" }, { signal, timeoutMs: 600_000 }))
            last.tickAt = performance.now();
        } catch {
          await sleep(100, { signal }).catch(() => undefined);
        }
      }
    }),
  );
  const [dense, sparse, idle] = [await call(), await call(), await call()];
  const closing = stack.move();
  return {
    proxy,
    connections: [
      { name: `gRPC over ${transport}, dense calls`, work: dense },
      { name: `gRPC over ${transport}, sparse calls`, work: sparse, pauseMs: 7_000 },
      { name: `gRPC over ${transport}, an idle connection`, work: idle, idleMs: 35_000 },
      {
        name: `gRPC over ${transport}, a stream alone`,
        async work() {
          const since = performance.now();
          using limit = deadline(workMs);
          while (last.tickAt < since) await sleep(20, limit);
        },
      },
    ],
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** Requests as those to suppliers: the platform's `fetch` with a deadline. */
export async function openHttp(): Promise<Opened> {
  await using stack = new AsyncDisposableStack();
  const server = createServer((_request, response) => response.end("ok"));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  stack.defer(() => server.closeAllConnections());
  stack.defer(() => void server.close());
  const proxy = stack.use(await proxyTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  const closing = stack.move();
  return {
    proxy,
    connections: [
      {
        name: "HTTP",
        async work() {
          using limit = deadline(workMs);
          await (await fetch(proxy.url, { signal: limit.signal })).text();
        },
      },
    ],
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** A watch and calls. */
export async function openEtcdConnections(): Promise<Opened> {
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await testEtcd());
  const proxy = stack.use(await proxyTo(engine.url));
  const direct = stack.use(openEtcd({ endpoints: [engine.url] }));
  const etcd = stack.use(openEtcd({ endpoints: [new URL(proxy.url).origin] }));
  const key = `forgotten/${randomUUID()}`;
  const seen = new News();
  stack.use(background(async (signal) => await followKey(etcd, key, seen, signal)));
  const closing = stack.move();
  return {
    proxy,
    connections: [
      { name: "etcd, calls", work: async () => await etcd.range({ key }) },
      {
        name: "etcd, a watch",
        async work() {
          const value = randomUUID();
          await direct.put(key, value);
          await seen.until(value);
        },
      },
    ],
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

async function followKey(etcd: Etcd, key: string, seen: News, signal: AbortSignal): Promise<void> {
  const take = (value: Uint8Array | undefined): void => seen.add(Buffer.from(value ?? []).toString());
  while (!signal.aborted) {
    try {
      const { entries, revision } = await etcd.range({ key }, { signal });
      take(entries[0]?.value);
      for await (const { changes } of etcd.watch({ key }, { from: revision + 1n, signal })) {
        for (const { put } of changes) take(put?.value);
      }
    } catch {
      await sleep(100, { signal }).catch(() => undefined);
    }
  }
}

/** A watch of a key. */
export async function openConsulConnections(): Promise<Opened> {
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await testConsul());
  const proxy = stack.use(await proxyTo(engine.url));
  const direct = stack.use(openConsul({ url: engine.url }));
  const consul = stack.use(openConsul({ url: new URL(proxy.url).origin }));
  const key = `forgotten/${randomUUID()}`;
  const seen = new News();
  stack.use(
    background(async (signal) => {
      for await (const value of watchKey(consul, key, { signal })) seen.add(value ?? "");
    }),
  );
  const closing = stack.move();
  return {
    proxy,
    connections: [
      {
        name: "Consul, a watch",
        async work() {
          const value = randomUUID();
          await putKey(direct, key, value);
          await seen.until(value);
        },
      },
    ],
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
