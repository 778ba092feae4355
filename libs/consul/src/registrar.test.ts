import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Resolver as Dns } from "node:dns/promises";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test, { describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { serve } from "@plumbline/rpc";
import type { Address } from "@plumbline/rpc/discovery";
import { noTelemetry } from "@plumbline/telemetry";
import {
  eventually,
  freePort,
  proxyTo,
  startTemporaryConsul,
  testConsul,
  whyNoConsul,
  whyNoConsulAgent,
} from "@plumbline/tools-engines";
import { openConsul } from "./consul.ts";
import { type ConsulRegistrarOptions, consulRegistrar } from "./registrar.ts";
import { consulResolver } from "./resolver.ts";

/** Starts an ops port whose `/readyz` answers with `status`. */
async function opsPort() {
  let status = 200;
  const server = createServer((request, response) =>
    response.writeHead(request.url === "/readyz" ? status : 404).end(),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: { host: "127.0.0.1", port: (server.address() as AddressInfo).port },
    set status(next: number) {
      status = next;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Follows the addresses of a service, through failures. */
function following(url: string, service: string) {
  const consul = openConsul({ url, timeoutMs: 1_000 });
  const resolver = consulResolver(consul, { waitMs: 2_000 });
  const stop = new AbortController();
  let addresses: readonly Address[] | undefined;
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        for await (const next of resolver.watch({ authority: "", name: service }, stop.signal)) addresses = next;
      } catch {
        addresses = undefined; // Unknown, not empty.
      }
    }
  };
  const ended = run();
  return {
    get addresses() {
      return addresses;
    },
    /** Resolves with the time until the service has these ports. */
    async until(ports: readonly number[], ms: number): Promise<number> {
      const from = performance.now();
      const wanted = JSON.stringify(ports);
      await eventually(
        () => JSON.stringify(addresses?.map(({ port }) => port).toSorted()),
        (now) => now === wanted,
        ms,
      );
      return performance.now() - from;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
      await consul[Symbol.asyncDispose]();
    },
  };
}

const nowhere: Address = { host: "127.0.0.1", port: 1 };

describe("a registration", { skip: whyNoConsul() ?? false, concurrency: true }, () => {
  async function registering(options: ConsulRegistrarOptions = {}) {
    const engine = await testConsul();
    const consul = openConsul({ url: engine.url });
    return {
      engine,
      consul,
      registrar: consulRegistrar(consul, options),
      service: `test-${randomUUID()}`,
      async [Symbol.asyncDispose]() {
        await consul[Symbol.asyncDispose]();
        await engine[Symbol.asyncDispose]();
      },
    };
  }

  test("is found once its gRPC server is healthy, and is gone when it ends", async () => {
    await using app = await registering();
    await using server = await serve({ services: [], telemetry: noTelemetry }, { host: "127.0.0.1", port: 0 });
    await using found = following(app.engine.url, app.service);
    await found.until([], 2_000);
    const address = { host: "127.0.0.1", port: server.port };
    const registration = await app.registrar.register({ service: app.service, id: `${app.service}-1`, address });
    await found.until([server.port], 4_000);
    await registration[Symbol.asyncDispose]();
    assert.ok((await found.until([], 2_000)) < 2_000);
  });

  test("follows /readyz of the ops port", async () => {
    await using app = await registering({ checkEveryMs: 1_000 });
    await using ops = await opsPort();
    await using found = following(app.engine.url, app.service);
    await using _ = await app.registrar.register({
      service: app.service,
      id: `${app.service}-1`,
      address: nowhere,
      ops: ops.address,
    });
    await found.until([1], 3_000);
    ops.status = 503;
    await found.until([], 3_000);
    ops.status = 200;
    await found.until([1], 3_000);
  });

  test("that someone else removes or replaces is made again", async () => {
    const renewed: string[] = [];
    await using app = await registering({ onRenewed: ({ id }) => renewed.push(id) });
    await using ops = await opsPort();
    await using found = following(app.engine.url, app.service);
    const id = `${app.service}-1`;
    await using _ = await app.registrar.register({ service: app.service, id, address: nowhere, ops: ops.address });
    await found.until([1], 4_000);
    await app.consul.call({ method: "PUT", path: `/v1/agent/service/deregister/${id}` });
    await eventually(
      () => renewed,
      () => renewed.length === 1,
      5_000,
    );
    await found.until([1], 5_000);
    const other = JSON.stringify({ ID: id, Name: app.service, Address: "127.0.0.1", Port: 2 });
    await app.consul.call({ method: "PUT", path: "/v1/agent/service/register", body: other });
    await eventually(
      () => renewed,
      () => renewed.length === 2,
      5_000,
    );
    await found.until([1], 5_000);
    assert.deepEqual(renewed, [id, id]);
  });

  test("with a token that may not write is refused at once, and one that may not read finds nothing", async () => {
    const token = randomUUID();
    await using agent = await startTemporaryConsul({ token });
    await using allowed = openConsul({ url: agent.url, token: () => token });
    await using ops = await opsPort();
    await using _ = await consulRegistrar(allowed).register({
      service: "a",
      id: "a-1",
      address: nowhere,
      ops: ops.address,
    });
    // Only an answer that had instances says that some were left out.
    await eventually(
      () => allowed.call({ path: "/v1/health/service/a", query: { passing: "1" } }),
      ({ body }) => String(body) !== "[]",
    );
    // The answer to a request without any token does not say so.
    const made = await allowed.call({ method: "PUT", path: "/v1/acl/token", body: "{}" });
    const { SecretID } = JSON.parse(String(made.body)) as { SecretID: string };
    await using consul = openConsul({ url: agent.url, token: () => SecretID });
    const from = performance.now();
    await assert.rejects(consulRegistrar(consul).register({ service: "a", id: "a-1", address: nowhere }), {
      code: "permission_denied",
    });
    assert.ok(performance.now() - from < 2_000);
    const { signal } = new AbortController();
    const watch = consulResolver(consul).watch({ authority: "", name: "a" }, signal)[Symbol.asyncIterator]();
    await assert.rejects(watch.next(), { code: "permission_denied", message: /the token may not read the service a / });
  });
});

test("the agent is asked to remove a server that is gone for a minute, and to check it as given", async () => {
  const bodies: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    const read = async (): Promise<void> => {
      const body = Buffer.concat(await request.toArray()).toString();
      if (request.url?.startsWith("/v1/agent/service/register?")) {
        bodies.push(JSON.parse(body) as Record<string, unknown>);
      }
      response.end("{}");
    };
    void read();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  await using consul = openConsul({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const host = "::1";
  const registration = { service: "a", id: "a-1", address: { host, port: 1 } };
  const timing = { Interval: "2000ms", Timeout: "2000ms", DeregisterCriticalServiceAfter: "1m" };
  for (const [ops, options, check] of [
    [undefined, {}, { Name: "gRPC health", GRPC: "[::1]:1" }],
    [undefined, { grpcTls: true }, { Name: "gRPC health", GRPC: "[::1]:1", GRPCUseTLS: true }],
    [{ host, port: 2 }, {}, { Name: "/readyz of the ops port", HTTP: "http://[::1]:2/readyz" }],
  ] as const) {
    const made = await consulRegistrar(consul, options).register({ ...registration, ops });
    await made[Symbol.asyncDispose]();
    assert.deepEqual(bodies.pop()?.["Check"], { CheckID: "a-1:ready", ...check, ...timing });
  }
  server.close();
});

test("a registration at an agent that is away is unavailable within its deadline", async () => {
  await using consul = openConsul({ url: `http://127.0.0.1:${await freePort()}` });
  const from = performance.now();
  await assert.rejects(
    consulRegistrar(consul).register(
      { service: "a", id: "a-1", address: nowhere },
      { signal: AbortSignal.timeout(700) },
    ),
    { code: "unavailable", message: /cannot register a-1 of a in time: PUT .*ECONNREFUSED/ },
  );
  assert.ok(performance.now() - from < 1_500);
});

describe("with an agent that is killed", { skip: whyNoConsulAgent() ?? false, concurrency: true }, () => {
  for (const keepsData of [false, true]) {
    const words = keepsData ? "with its data" : "without data";
    test(`a server is found again within 15 s after the agent is back ${words}`, async () => {
      await using agent = await startTemporaryConsul({ keepsData });
      await using consul = openConsul({ url: agent.url });
      await using ops = await opsPort();
      await using found = following(agent.url, "orders");
      const registrar = consulRegistrar(consul);
      await using _ = await registrar.register({
        service: "orders",
        id: "orders-1",
        address: nowhere,
        ops: ops.address,
      });
      await found.until([1], 5_000);
      for (let turn = 0; turn < 2; turn++) {
        await agent.kill();
        await sleep(1_500);
        await agent.start();
        const ms = await found.until([1], 15_000);
        console.log(`    ${words}: found after ${Math.round(ms)} ms`);
      }
    });
  }

  test("a server is registered again after the agent has lost it behind a silent connection", async () => {
    await using agent = await startTemporaryConsul();
    await using proxy = await proxyTo(agent.url);
    await using consul = openConsul({ url: new URL(proxy.url).origin, timeoutMs: 1_000 });
    await using ops = await opsPort();
    const registration = { service: "orders", id: "orders-1", address: nowhere, ops: ops.address };
    await using _ = await consulRegistrar(consul).register(registration);
    await using found = following(agent.url, "orders");
    await found.until([1], 5_000);
    proxy.freeze();
    await agent.kill();
    await agent.start();
    await sleep(2_000);
    proxy.restore();
    await found.until([1], 15_000);
  });

  test("the answers of its DNS equal those of the resolver", async () => {
    await using agent = await startTemporaryConsul();
    await using consul = openConsul({ url: agent.url });
    await using ops = await opsPort();
    await using found = following(agent.url, "orders");
    const registrar = consulRegistrar(consul);
    await using registrations = new AsyncDisposableStack();
    const ports = [50_001, 50_002, 50_003];
    for (const port of ports) {
      const address = { host: "127.0.0.1", port };
      registrations.use(
        await registrar.register({ service: "orders", id: `orders-${port}`, address, ops: ops.address }),
      );
    }
    await found.until(ports, 5_000);
    const dns = new Dns();
    dns.setServers([`${agent.dns.host}:${agent.dns.port}`]);
    const records = await dns.resolveSrv("orders.service.consul");
    assert.deepEqual(records.map(({ port }) => port).toSorted(), found.addresses?.map(({ port }) => port).toSorted());
  });
});
