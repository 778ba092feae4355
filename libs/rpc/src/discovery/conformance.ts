/**
 * The suite that every resolver passes, over both transports. A resolver's own test is one call:
 *
 *     discoveryConformance({ name: "consul", open: () => openConsulAdapter() });
 *
 * Its servers are real, on addresses of this machine.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { onAbort, within as withinTime } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import type { Channel } from "../client/channel.ts";
import { connect } from "../client/connect.ts";
import { type Client, createClient } from "../client/create-client.ts";
import type { MessageType } from "../definition.ts";
import { type RpcServer, serve } from "../server/serve.ts";
import { service } from "../server/service.ts";
import type { Balancing } from "../transport.ts";
import { type TransportName, transportNames } from "../transports/index.ts";
import type { Address } from "./address.ts";
import { AddressWatch } from "./address-watch.ts";
import type { Resolver } from "./resolver.ts";
import { parseTarget } from "./target.ts";

/** A resolver, a target of it, and a hold on the source behind both. */
export interface DiscoveryAdapter extends AsyncDisposable {
  readonly resolver: Resolver;
  /** The target that `set` gives addresses, such as "consul:///orders". */
  readonly target: string;
  /** Makes these the addresses of the target. It works while the source is broken or mute, too. */
  set(addresses: readonly Address[]): Promise<void>;
  /** Cuts the resolver's connections to the source, and refuses others or answers with errors. */
  break?(): Promise<void>;
  /** Lets the source say nothing, while its connections stay open. */
  mute?(): Promise<void>;
  /** Ends `break` and `mute`. */
  restore?(): Promise<void>;
}

export interface DiscoveryConformance {
  /** The resolver's name in the tests' names. */
  readonly name: string;
  /** Opens a source without addresses, for a case with these servers. */
  open(servers: readonly Address[]): Promise<DiscoveryAdapter>;
  /** The reason to skip the suite. */
  readonly skip?: string | false | undefined;
  /** The addresses of three servers; 127.0.0.1 to 127.0.0.3 if not given. */
  readonly hosts?: readonly [string, string, string] | undefined;
  /** Gives all servers one port. They have their own if false, as when all hosts are the same. */
  readonly samePort?: boolean | undefined;
  /** The longest time from a change to its effect; 10 s if not given. */
  readonly withinMs?: number | undefined;
  /** The longest time from the end of a silence to the effect of a change; 35 s if not given. */
  readonly afterSilenceMs?: number | undefined;
  /** False for a source that cannot change, such as a list in the target. */
  readonly changes?: boolean | undefined;
}

const text: MessageType<string> = {
  encode: (value) => ({ finish: () => Buffer.from(value) }),
  decode: (bytes) => Buffer.from(bytes).toString(),
};

/** A service that answers with the server that was asked and the connection it was asked on. */
const Who = {
  fullName: "plumbline.rpc.Who",
  methods: {
    /** Answers after the requested number of milliseconds. */
    ask: { name: "Ask", requestType: text, requestStream: false, responseType: text, responseStream: false },
  },
} as const;

/** Servers, an adapter and a channel of one case. */
class World implements AsyncDisposable {
  readonly adapter: DiscoveryAdapter;
  readonly addresses: readonly Address[];
  readonly channel: Channel;
  readonly client: Client<typeof Who>;
  readonly #opened: AsyncDisposableStack;

  private constructor(
    parts: Pick<World, "adapter" | "addresses" | "channel" | "client">,
    opened: AsyncDisposableStack,
  ) {
    this.adapter = parts.adapter;
    this.addresses = parts.addresses;
    this.channel = parts.channel;
    this.client = parts.client;
    this.#opened = opened;
  }

  static async open(suite: DiscoveryConformance, transport: TransportName, balancing?: Balancing): Promise<World> {
    await using opening = new AsyncDisposableStack();
    const addresses: Address[] = [];
    const { hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"], samePort = true } = suite;
    for (const [index, host] of hosts.entries()) {
      const wanted = (samePort && addresses[0]?.port) || 0;
      const server: RpcServer = opening.use(await serveWho(transport, host, wanted, index));
      addresses.push({ host, port: server.port });
    }
    const adapter = opening.use(await suite.open(addresses));
    const { target, resolver } = adapter;
    const options = { transport, balancing, resolvers: [resolver], timeoutMs: 10_000 };
    const channel = opening.use(await connect(target, noTelemetry, options));
    return new World({ adapter, addresses, channel, client: createClient(Who, channel) }, opening.move());
  }

  /** Makes the servers with these numbers the addresses of the target. */
  async set(...numbers: readonly number[]): Promise<void> {
    await this.adapter.set(numbers.map((number) => this.addresses[number] ?? assert.fail()));
  }

  /** Returns the numbers of the servers that answer `calls`, one after the other. */
  async answering(calls = 12): Promise<string> {
    const answers = new Set<string>();
    for (let i = 0; i < calls; i++) answers.add((await this.client.ask("0")).split(" ")[0] ?? "");
    return [...answers].toSorted().join();
  }

  /** Calls until the servers with these numbers answer, and no others. */
  async untilAnsweredBy(numbers: string, withinMs: number): Promise<void> {
    await until(withinMs, async () => {
      const answered = await this.answering().catch(String);
      return answered === numbers ? undefined : `answered by ${answered} and not by ${numbers}`;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }
}

function serveWho(transport: TransportName, host: string, port: number, index: number): Promise<RpcServer> {
  const who = service(Who, {
    ask: async (ms, { peer, signal }) => {
      if (Number(ms) > 0) await sleep(Number(ms), undefined, { signal });
      return `${index} ${peer}`;
    },
  });
  return serve({ services: [who], telemetry: noTelemetry }, { host, port, transport, graceMs: 2_000 });
}

/** Calls `attempt` until it returns undefined. Fails with its last answer. */
async function until(withinMs: number, attempt: () => Promise<string | undefined> | string | undefined) {
  const end = performance.now() + withinMs;
  for (;;) {
    const missing = await attempt();
    if (missing === undefined) return;
    assert.ok(performance.now() < end, `after ${withinMs} ms: ${missing}`);
    await sleep(50);
  }
}

/** Calls of a channel in a loop, and their failures. */
function load(client: Client<typeof Who>, ms: string) {
  const stop = new AbortController();
  const failures: string[] = [];
  let calls = 0;
  const running = Array.from({ length: 8 }, async () => {
    while (!stop.signal.aborted) {
      calls++;
      await client.ask(ms).catch(async (error: unknown) => {
        failures.push(String(error));
        await sleep(20);
      });
    }
  });
  return {
    failures,
    get calls() {
      return calls;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(running);
    },
  };
}

/** Returns the number of this process's timers and sockets. */
function resources(): number {
  const kinds = /Timeout|TCP|UDP|TLS|PIPE|DNS|GETADDRINFO|QUERY/i;
  return process.getActiveResourcesInfo().filter((kind) => kinds.test(kind)).length;
}

/** Tests a resolver. */
export function discoveryConformance(suite: DiscoveryConformance): void {
  const { name, skip = false, withinMs = 10_000, afterSilenceMs = 35_000, changes = true } = suite;
  const unchanging = changes ? false : "the addresses of this resolver never change";
  const timeout = 60_000 + 2 * (withinMs + afterSilenceMs);

  for (const transport of transportNames) {
    void describe(`the resolver ${name} over ${transport}`, { skip }, () => {
      const options = { timeout };
      const within = async (run: (world: World) => Promise<void>, { signal }: TestContext): Promise<void> => {
        await using world = await World.open(suite, transport);
        using _ = onAbort(signal, () => void world[Symbol.asyncDispose]());
        await run(world);
      };
      const testCase = (title: string, run: (world: World) => Promise<void>, skipped: string | false = false): void => {
        void test(title, { ...options, skip: skipped }, (context) => within(run, context));
      };

      testCase("calls go to all addresses that are known when the watch starts", async (world) => {
        await world.set(0, 1, 2);
        await world.untilAnsweredBy("0,1,2", withinMs);
      });

      testCase(
        "a new address is in use within its time",
        async (world) => {
          await world.set(0);
          await world.untilAnsweredBy("0", withinMs);
          await world.set(0, 1);
          await world.untilAnsweredBy("0,1", withinMs);
        },
        unchanging,
      );

      testCase(
        "a removed address gets no new calls, and those in flight end well",
        async (world) => {
          await world.set(0, 1, 2);
          await world.untilAnsweredBy("0,1,2", withinMs);
          await using calls = load(world.client, "100");
          await world.set(0, 2);
          await world.untilAnsweredBy("0,2", withinMs);
          await calls[Symbol.asyncDispose]();
          assert.deepEqual(calls.failures, []);
          assert.ok(calls.calls >= 8, `${calls.calls} calls`);
        },
        unchanging,
      );

      testCase(
        "the order of addresses and their repetition close no connection",
        async (world) => {
          const peers = async (): Promise<string> => {
            const seen = new Set<string>();
            for (let i = 0; i < 12; i++) seen.add(await world.client.ask("0"));
            return [...seen].toSorted().join();
          };
          await world.set(0, 1, 2);
          await world.untilAnsweredBy("0,1,2", withinMs);
          const before = await peers();
          await world.set(2, 1, 0);
          await world.set(1, 0, 2);
          await sleep(Math.min(withinMs, 2_000));
          assert.equal(await peers(), before);
        },
        unchanging,
      );

      testCase(
        "a source that has nothing for a moment fails no call",
        async (world) => {
          await world.set(0, 1);
          await world.untilAnsweredBy("0,1", withinMs);
          await using calls = load(world.client, "10");
          await world.set();
          await world.set(0, 1);
          await sleep(1_000);
          await calls[Symbol.asyncDispose]();
          assert.deepEqual(calls.failures, []);
          await world.untilAnsweredBy("0,1", withinMs);
        },
        unchanging,
      );

      testCase(
        "a name that stays without addresses is unavailable, and is back with the first address",
        async (world) => {
          await world.set(0, 1);
          await world.untilAnsweredBy("0,1", withinMs);
          await world.set();
          await until(2 * withinMs + 10_000, async () => {
            const outcome = await world.client.ask("0").catch((error: unknown) => codeOf(error));
            return outcome === "unavailable" ? undefined : `a call ended as ${outcome}`;
          });
          await world.set(1);
          await world.untilAnsweredBy("1", withinMs);
        },
        unchanging,
      );

      for (const fault of ["break", "mute"] as const) {
        const words = fault === "break" ? "fails" : "falls silent";
        const recoveryMs = fault === "break" ? withinMs : afterSilenceMs;
        testCase(
          `a source that ${words} keeps the last addresses, and a change made meanwhile is seen after`,
          async (world) => {
            await world.set(0, 1);
            await world.untilAnsweredBy("0,1", withinMs);
            await using calls = load(world.client, "10");
            await world.adapter[fault]?.();
            await sleep(3_000);
            assert.equal(await world.answering(), "0,1");
            await world.set(1, 2);
            await sleep(1_000);
            await world.adapter.restore?.();
            await world.untilAnsweredBy("1,2", recoveryMs);
            await calls[Symbol.asyncDispose]();
            assert.deepEqual(calls.failures, []);
          },
          unchanging,
        );

        testCase(`a watch of a source that ${words} ends without a socket or a timer`, async (world) => {
          await world.set(0, 1);
          const { resolver, name: target } = parseTarget(world.adapter.target, [world.adapter.resolver]);
          // The first watch leaves behind what is kept for later ones, such as idle connections.
          for (const isMeasured of [false, true]) {
            const before = resources();
            let found = "";
            const watch = new AddressWatch(resolver, target, {
              changed: (addresses) => {
                found = `${addresses.length}`;
              },
            });
            watch.start();
            await until(withinMs, () => (found === "" ? "no addresses" : undefined));
            await world.adapter[fault]?.();
            await sleep(500);
            await withinTime(watch[Symbol.asyncDispose](), { ms: 5_000, what: "the end of the watch" });
            await world.adapter.restore?.();
            if (isMeasured) {
              await until(10_000, () => {
                const now = resources();
                return now <= before ? undefined : `${now} sockets and timers, and ${before} before`;
              });
            }
          }
        });
      }

      testCase(
        "calls fail while the source is away from the start, and succeed when it is back",
        async (world) => {
          await world.set(0);
          await world.adapter.break?.();
          await assert.rejects(world.client.ask("0", { timeoutMs: 20_000 }), { code: "unavailable" });
          await world.adapter.restore?.();
          await world.untilAnsweredBy("0", withinMs);
        },
        unchanging,
      );

      testCase("a channel that is closed has ended its watch", async (world) => {
        await world.set(0, 1, 2);
        await world.untilAnsweredBy("0,1,2", withinMs);
        await world.channel[Symbol.asyncDispose]();
        await assert.rejects(world.client.ask("0"), { code: "unavailable" });
      });

      void test("with least_request all addresses get calls", options, async ({ signal }) => {
        await using world = await World.open(suite, transport, "least_request");
        using _ = onAbort(signal, () => void world[Symbol.asyncDispose]());
        await world.set(0, 1, 2);
        await until(withinMs, async () => {
          const answered = await world.answering(40).catch(String);
          return answered === "0,1,2" ? undefined : `answered by ${answered}`;
        });
      });
    });
  }
}
