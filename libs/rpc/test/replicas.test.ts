/**
 * Calls to a service of several replicas behind one name: real servers, on 127.0.0.1 and up, and a
 * real name server.
 */
import assert from "node:assert/strict";
import { platform } from "node:os";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { aborted } from "@plumbline/concurrency";
import { noTelemetry } from "@plumbline/telemetry";
import { freePort } from "@plumbline/tools-engines";
import {
  type Client,
  connect,
  createClient,
  type RpcServer,
  type ServeOptions,
  serve,
  service,
  type TransportName,
  transportNames,
} from "../src/index.ts";
import { startNameServer } from "./name-server.ts";

const text = {
  encode: (value: string) => ({ finish: () => Buffer.from(value) }),
  decode: (bytes: Uint8Array): string => Buffer.from(bytes).toString(),
};
/** A service that answers with the replica that was asked. */
const Who = {
  fullName: "plumbline.test.Who",
  methods: {
    ask: { name: "Ask", requestType: text, requestStream: false, responseType: text, responseStream: false },
    watch: { name: "Watch", requestType: text, requestStream: false, responseType: text, responseStream: true },
  },
} as const;

const options = {
  skip: platform() === "linux" ? false : "needs 127.0.0.2 and up, which only Linux has without setting them up",
  timeout: 60_000,
};

/** Starts replicas of one service: one port, an address for each. */
async function openReplicas(transport: TransportName, first: readonly string[], serving: Partial<ServeOptions> = {}) {
  await using opening = new AsyncDisposableStack();
  const port = await freePort();
  const names = opening.use(await startNameServer(first));
  const running = new Map<string, RpcServer>();
  const start = async (host: string): Promise<void> => {
    const who = service(Who, {
      ask: async () => host,
      async *watch(_, { signal }) {
        yield host;
        await aborted(signal);
      },
    });
    const server = await serve(
      { services: [who], telemetry: noTelemetry },
      { host, port, transport, graceMs: 5_000, ...serving },
    );
    running.set(host, opened.use(server));
  };
  const target = `dns://${names.authority}/replicas.test:${port}`;
  const channel = opening.use(await connect(target, noTelemetry, { transport, timeoutMs: 10_000 }));
  const opened = opening.move();
  for (const host of first) await start(host);
  return {
    names,
    channel,
    client: createClient(Who, channel),
    start,
    recycle: (host: string) => running.get(host)?.recycle(),
    stop: async (host: string) => await running.get(host)?.drain(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

type WhoClient = Client<typeof Who>;

/** Returns the number of `calls` that each replica answered. */
async function spread(client: WhoClient, calls: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < calls; i++) {
    const host = await client.ask("");
    counts[host] = (counts[host] ?? 0) + 1;
  }
  return counts;
}

/** Calls one after the other until exactly `hosts` have answered ten rounds. */
async function untilAnsweredBy(client: WhoClient, hosts: readonly string[], withinMs = 30_000): Promise<void> {
  const end = performance.now() + withinMs;
  for (;;) {
    const answered = Object.keys(await spread(client, hosts.length * 10)).toSorted();
    if (answered.join() === hosts.join()) return;
    assert.ok(performance.now() < end, `answered by ${answered.join()} and not by ${hosts.join()}`);
    await sleep(20);
  }
}

for (const transport of transportNames) {
  void describe(`over ${transport}`, () => {
    void test("calls go to all replicas of a name in turn", options, async () => {
      const hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
      await using world = await openReplicas(transport, hosts);
      await untilAnsweredBy(world.client, hosts);
      assert.deepEqual(await spread(world.client, 300), { "127.0.0.1": 100, "127.0.0.2": 100, "127.0.0.3": 100 });
    });

    void test(
      "a channel is ready with one replica, and calls go there, while others are unreachable",
      options,
      async () => {
        await using world = await openReplicas(transport, ["127.0.0.1"]);
        world.names.addresses = ["127.0.0.9", "127.0.0.1"];
        await world.channel.ready({ signal: AbortSignal.timeout(10_000) });
        assert.deepEqual(await spread(world.client, 50), { "127.0.0.1": 50 });
      },
    );

    void test("a new replica gets its share once a connection has reached its age", options, async () => {
      await using world = await openReplicas(transport, ["127.0.0.1", "127.0.0.2"], { maxConnectionAgeMs: 500 });
      await untilAnsweredBy(world.client, ["127.0.0.1", "127.0.0.2"]);
      await world.start("127.0.0.3");
      world.names.addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
      await untilAnsweredBy(world.client, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    });

    void test("without an age a new replica gets its share once the name is looked up again", options, async () => {
      await using world = await openReplicas(transport, ["127.0.0.1"], { maxConnectionAgeMs: 0 });
      await world.client.ask("");
      await world.start("127.0.0.2");
      world.names.addresses = ["127.0.0.1", "127.0.0.2"];
      await untilAnsweredBy(world.client, ["127.0.0.1", "127.0.0.2"], 35_000);
    });

    void test(
      "replicas whose connections reach their age, or that are replaced under load, fail no call",
      options,
      async () => {
        const hosts = ["127.0.0.1", "127.0.0.2"];
        await using world = await openReplicas(transport, hosts, { maxConnectionAgeMs: 300 });
        await untilAnsweredBy(world.client, hosts);
        const stop = new AbortController();
        let calls = 0;
        const failures: unknown[] = [];
        const load = Array.from({ length: 8 }, async () => {
          while (!stop.signal.aborted) {
            calls++;
            await world.client.ask("").catch(async (error: unknown) => {
              failures.push(error);
              await sleep(20);
            });
          }
        });
        try {
          for (let round = 0; round < 4; round++) {
            const host = hosts[round % 2] ?? "";
            await world.stop(host);
            await sleep(100);
            await world.start(host);
            await untilAnsweredBy(world.client, hosts);
          }
        } finally {
          stop.abort();
          await Promise.all(load);
        }
        assert.deepEqual(failures.map(String), []);
        assert.ok(calls > 100, `${calls} calls`);
      },
    );

    void test("a client finds the replacement of its only replica while that one still serves", options, async () => {
      await using world = await openReplicas(transport, ["127.0.0.1"]);
      world.names.ttl = 60;
      await untilAnsweredBy(world.client, ["127.0.0.1"]);
      await world.start("127.0.0.2");
      world.names.addresses = ["127.0.0.2"];
      world.recycle("127.0.0.1");
      // The name is looked up again by itself only after 24 s.
      await untilAnsweredBy(world.client, ["127.0.0.2"], 15_000);
      await world.stop("127.0.0.1");
      assert.deepEqual(await spread(world.client, 10), { "127.0.0.2": 10 });
    });

    void test("a stream goes on after its server has asked for other connections", options, async () => {
      await using world = await openReplicas(transport, ["127.0.0.1"]);
      let ended = false;
      const events = world.client.watch("")[Symbol.asyncIterator]();
      await events.next();
      const next = events.next().then(
        () => (ended = true),
        () => (ended = true),
      );
      world.recycle("127.0.0.1");
      assert.deepEqual(await spread(world.client, 20), { "127.0.0.1": 20 });
      assert.equal(ended, false);
      await world.stop("127.0.0.1");
      await next;
    });

    void test(
      "a stream on a connection that has reached its age goes on until the grace is over",
      options,
      async () => {
        await using world = await openReplicas(transport, ["127.0.0.1"], {
          maxConnectionAgeMs: 200,
          maxConnectionAgeGraceMs: 1_500,
        });
        const began = performance.now();
        await assert.rejects(async () => {
          for await (const _ of world.client.watch("")) continue;
        });
        const tookMs = performance.now() - began;
        assert.ok(tookMs > 1_500 && tookMs < 5_000, `${tookMs} ms`);
      },
    );
  });
}
