/** Greeters that register themselves in a real registry, and clients that find them there. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { consulResolver, openConsul } from "@plumbline/consul";
import { GreeterService } from "@plumbline/contracts";
import { etcdResolver, openEtcd } from "@plumbline/etcd";
import { connect, createClient } from "@plumbline/rpc";
import type { Address, Resolver } from "@plumbline/rpc/discovery";
import { noTelemetry } from "@plumbline/telemetry";
import {
  eventually,
  type ListeningService,
  proxyTo,
  startService,
  startTemporaryConsul,
  startTemporaryEtcd,
  testConsul,
  testEtcd,
  whyNoConsul,
  whyNoConsulAgent,
  whyNoEtcd,
  whyNoEtcdServer,
} from "@plumbline/tools-engines";

const leaseSeconds = 3;

/** Starts a greeter on free ports. */
function startGreeter(settings: Readonly<Record<string, string>>): Promise<ListeningService> {
  return startService("greeter", {
    GREETER_RPC_HOST: "127.0.0.1",
    GREETER_RPC_PORT: "0",
    GREETER_OPS_HOST: "127.0.0.1",
    GREETER_OPS_PORT: "0",
    ...settings,
  });
}

/** A registry, and one service name in it that no other test uses. */
interface Registry extends AsyncDisposable {
  readonly target: string;
  readonly resolver: Resolver;
  /** The settings of a greeter that registers itself there, at another URL if given. */
  settings(url?: string): Readonly<Record<string, string>>;
  /** Resolves with the ports that are registered now. */
  readonly ports: () => Promise<readonly number[]>;
}

function registryOf(
  kind: "etcd" | "consul",
  url: string,
  resolver: Resolver,
  more: Readonly<Record<string, string>> = {},
): Omit<Registry, typeof Symbol.asyncDispose> {
  const service = `greeter-${crypto.randomUUID()}`;
  return {
    target: `${kind}:///${service}`,
    resolver,
    settings: (at = url) => ({
      GREETER_REGISTRATION_REGISTRY: kind,
      GREETER_REGISTRATION_SERVICE: service,
      GREETER_REGISTRATION_LEASE_SECONDS: `${leaseSeconds}`,
      [kind === "etcd" ? "GREETER_REGISTRATION_ETCD_ENDPOINTS" : "GREETER_REGISTRATION_CONSUL_URL"]: at,
      ...more,
    }),
    async ports() {
      const stop = new AbortController();
      for await (const addresses of resolver.watch({ authority: "", name: service }, stop.signal)) {
        return addresses.map(({ port }: Address) => port).toSorted();
      }
      return [];
    },
  };
}

function inEtcd(url: string): Registry {
  const etcd = openEtcd({ endpoints: [url] });
  return { ...registryOf("etcd", url, etcdResolver(etcd)), [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose]() };
}

function inConsul(url: string, check: string): Registry {
  const consul = openConsul({ url });
  const more = { GREETER_REGISTRATION_CHECK: check };
  return {
    ...registryOf("consul", url, consulResolver(consul), more),
    [Symbol.asyncDispose]: () => consul[Symbol.asyncDispose](),
  };
}

async function readiness({ opsPort }: ListeningService): Promise<number> {
  try {
    const answer = await fetch(`http://127.0.0.1:${opsPort}/readyz`);
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0;
  }
}

/** Calls the service by its name in the registry, without a pause, until disposed. */
async function callers({ target, resolver }: Registry) {
  const channel = await connect(target, noTelemetry, { resolvers: [resolver], timeoutMs: 10_000 });
  const client = createClient(GreeterService, channel);
  const failures: unknown[] = [];
  let answered = 0;
  const over = new AbortController();
  const loops = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) {
      try {
        await client.sayHello({ name: "Ada" });
        answered++;
      } catch (error) {
        failures.push(error);
      }
      await sleep(2);
    }
  });
  return {
    failures,
    answered: () => answered,
    async [Symbol.asyncDispose]() {
      over.abort();
      await Promise.all(loops);
      await channel[Symbol.asyncDispose]();
    },
  };
}

const engines = new AsyncDisposableStack();
let etcdUrl = "";
let consulUrl = "";
before(async () => {
  if (whyNoEtcd() === undefined) etcdUrl = engines.use(await testEtcd()).url;
  if (whyNoConsul() === undefined) consulUrl = engines.use(await testConsul()).url;
});
after(() => engines.disposeAsync());

const registries = [
  { name: "etcd", skip: whyNoEtcd() ?? false, open: () => inEtcd(etcdUrl), url: () => etcdUrl },
  {
    name: "Consul, which asks gRPC health",
    skip: whyNoConsul() ?? false,
    open: () => inConsul(consulUrl, "grpc"),
    url: () => consulUrl,
  },
  {
    name: "Consul, which asks /readyz",
    skip: whyNoConsul() ?? false,
    open: () => inConsul(consulUrl, "readyz"),
    url: () => consulUrl,
  },
];

for (const { name, skip, open, url } of registries) {
  describe(`with ${name}`, { skip }, () => {
    test("a greeter leaves before it drains, no call fails, and one that is killed leaves too", async () => {
      await using registry = open();
      const settings = { ...registry.settings(), GREETER_DRAIN_MS: "1500" };
      await using first = await startGreeter(settings);
      await using second = await startGreeter(settings);
      await eventually(registry.ports, (ports) => ports.length === 2, 15_000);
      assert.deepEqual(await registry.ports(), [first.port, second.port].toSorted());
      await using calls = await callers(registry);
      await eventually(calls.answered, (count) => count > 200, 15_000);

      first.process.child.kill("SIGTERM");
      await eventually(
        () => readiness(first),
        (status) => status !== 200,
        15_000,
      );
      // It drains only after the removal, so no client may find it now.
      assert.deepEqual(await registry.ports(), [second.port]);
      await first.process.logged("deregistered");
      assert.deepEqual(await first.process.exited, [0, null]);
      const before = calls.answered();
      await eventually(calls.answered, (count) => count > before + 200, 15_000);
      assert.deepEqual(calls.failures, []);

      second.process.child.kill("SIGKILL");
      const killed = performance.now();
      await eventually(registry.ports, (ports) => ports.length === 0, 30_000);
      console.log(`    gone ${Math.round(performance.now() - killed)} ms after a kill`);
    });

    test("a registry that is silent holds the shutdown for two seconds at most", { timeout: 60_000 }, async () => {
      await using registry = open();
      await using proxy = await proxyTo(url());
      await using greeter = await startGreeter({
        ...registry.settings(new URL(proxy.url).origin),
        GREETER_GRACE_MS: "6000",
      });
      await eventually(registry.ports, (ports) => ports.length === 1, 15_000);
      await greeter.process.logged("registered");
      proxy.freeze();
      greeter.process.child.kill("SIGTERM");
      const began = performance.now();
      const removed = greeter.process
        .logged("not deregistered; the registry drops it by itself")
        .then(() => performance.now());
      let readyMs = 0;
      while ((await readiness(greeter)) === 200) {
        readyMs = performance.now() - began;
        await sleep(20);
      }
      assert.ok(readyMs > 1_000, `it stays ready while it waits for the registry, not only for ${readyMs} ms`);
      const ms = (await removed) - began;
      assert.deepEqual(await greeter.process.exited, [0, null], "within its grace period");
      assert.ok(ms < 3_000, `two seconds and those of a busy machine, not ${ms}`);
    });

    test("a greeter starts while the registry is away, and registers once it is back", async () => {
      await using registry = open();
      await using proxy = await proxyTo(url());
      proxy.cut();
      await using greeter = await startGreeter(registry.settings(new URL(proxy.url).origin));
      assert.equal(await readiness(greeter), 200);
      const { error } = await greeter.process.logged("the registration failed; trying again");
      assert.match(String(error), new RegExp(`cannot register ${registry.settings()["GREETER_REGISTRATION_SERVICE"]}`));
      assert.match(String(error), /127\.0\.0\.1:\d+/);
      proxy.restore();
      await eventually(registry.ports, (ports) => ports.includes(greeter.port), 20_000);
    });
  });
}

test("a greeter is registered again after etcd has lost its data", { skip: whyNoEtcdServer() ?? false }, async () => {
  await using server = await startTemporaryEtcd({ keepsData: false });
  await using registry = inEtcd(server.url);
  await using greeter = await startGreeter(registry.settings());
  await eventually(registry.ports, (ports) => ports.length === 1, 15_000);
  await server.kill();
  await server.start();
  await eventually(
    () => registry.ports().catch((): readonly number[] => []),
    (ports) => ports.includes(greeter.port),
    20_000,
  );
  await greeter.process.logged("the registry had lost the registration; registered again");
});

test("a greeter is registered again after the agent has lost its data", {
  skip: whyNoConsulAgent() ?? false,
}, async () => {
  await using agent = await startTemporaryConsul();
  await using registry = inConsul(agent.url, "grpc");
  await using greeter = await startGreeter(registry.settings());
  await eventually(registry.ports, (ports) => ports.length === 1, 15_000);
  await agent.kill();
  await agent.start();
  await eventually(
    () => registry.ports().catch((): readonly number[] => []),
    (ports) => ports.includes(greeter.port),
    20_000,
  );
});
