/** Envoy between gateway and the services, as deploy/compose/envoy-services.env has it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deadlineOf, steadyNow } from "@plumbline/concurrency";
import { GreeterService } from "@plumbline/contracts";
import { codeOf, ServiceError } from "@plumbline/errors";
import { connect, createClient, serve, service, transportNames } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import {
  eventually,
  freePort,
  runService,
  startService,
  startTestEnvoy,
  testDatabase,
  whyNoEnvoy,
} from "@plumbline/tools-engines";
import { startControlPlane, startLoad } from "./support.ts";

const skip = whyNoEnvoy() ?? false;
const timeout = 180_000;

/** Starts Envoy with a listener for these services, each by the prefix of its methods. */
async function startEnvoy(services: Readonly<Record<string, { prefix: string; endpoints: readonly string[] }>>) {
  await using opened = new AsyncDisposableStack();
  const controlPlane = opened.use(await startControlPlane());
  const port = await freePort();
  const named = Object.entries(services);
  const healthCheck = { grpc: "", intervalMs: 200 };
  controlPlane.put({
    listeners: { services: { host: "127.0.0.1", port, routes: "services" } },
    clusters: Object.fromEntries(
      named.map(([name, { endpoints }]) => [name, { endpoints, protocol: "http2", healthCheck }]),
    ),
    routes: { services: [{ rules: named.map(([name, { prefix }]) => ({ prefix, to: name, timeoutMs: 0 })) }] },
  });
  opened.use(await startTestEnvoy({ controlPlanePort: controlPlane.port, variant: "delta" }));
  const owned = opened.move();
  return { target: `dns:///127.0.0.1:${port}`, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("gateway calls and watches the services through Envoy, and one that drains fails no call", {
  skip,
  timeout,
}, async () => {
  await using database = await testDatabase();
  await using messaging = await testDatabase();
  const storage = { ORDERS_DATABASE_URL: database.url, ORDERS_MESSAGING_URL: messaging.url };
  const { code, output } = await runService("orders", storage, ["migrate"]);
  assert.equal(code, 0, output);
  const ofOrders = { ORDERS_RPC_HOST: "127.0.0.1", ORDERS_RPC_PORT: "0", ORDERS_OPS_PORT: "0" };
  await using orders = await startService("orders", { ...storage, ...ofOrders });
  const ofGreeter = {
    GREETER_RPC_HOST: "127.0.0.1",
    GREETER_RPC_PORT: "0",
    GREETER_OPS_PORT: "0",
    GREETER_DRAIN_MS: "2000",
  };
  await using first = await startService("greeter", ofGreeter);
  await using second = await startService("greeter", ofGreeter);
  await using envoy = await startEnvoy({
    greeter: {
      prefix: "/greeter.v1.",
      endpoints: [first, second].map(({ port }) => `127.0.0.1:${port}`),
    },
    orders: { prefix: "/orders.v1.", endpoints: [`127.0.0.1:${orders.port}`] },
  });

  for (const transport of transportNames) {
    await using gateway = await startService("gateway", {
      GATEWAY_HTTP_HOST: "127.0.0.1",
      GATEWAY_HTTP_PORT: "0",
      GATEWAY_AUTH_OFF: "true",
      GATEWAY_OPS_PORT: "0",
      GATEWAY_TRANSPORT: transport,
      GATEWAY_UPSTREAMS_GREETER: envoy.target,
      GATEWAY_UPSTREAMS_ORDERS: envoy.target,
      GATEWAY_UPSTREAMS_FULFILMENT: envoy.target,
      GATEWAY_RATE_LIMIT_PER_CLIENT_PER_SECOND: "0",
    });
    const base = `http://127.0.0.1:${gateway.port}`;
    const post = (path: string, body: unknown) =>
      fetch(`${base}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    await eventually(
      async () => (await fetch(`${base}/v1/greetings/Ada`)).status,
      (status) => status === 200,
    );
    const answer = await post("/v1/orders", { customerId: "ada", items: [{ sku: "tea", quantity: 1 }] });
    const { id } = (await answer.json()) as { id: string };
    const watched = await fetch(`${base}/v1/orders/${id}:watch`);
    assert.equal(watched.status, 200);
    assert.equal((await post(`/v1/orders/${id}:cancel`, {})).status, 200);
    assert.match(await watched.text(), /ORDER_STATUS_PENDING[^]*ORDER_STATUS_CANCELLED/, transport);

    if (transport !== transportNames.at(-1)) continue;
    await using load = startLoad(`${base}/v1/greetings/Ada`);
    const answered = () => [...load.answers.values()].reduce((sum, count) => sum + count, 0);
    const more = async () => {
      const from = answered();
      await eventually(answered, (count) => count > from + 100);
    };
    await more();
    assert.deepEqual(await first.process.end("SIGTERM"), [0, null]);
    await more();
    assert.deepEqual(load.failures, []);
  }
});

test("a deadline passes through Envoy, and a call that a server has seen is not repeated", {
  skip,
  timeout,
}, async () => {
  /** The time to the deadline of each call, as the server sees it. */
  const leftMs: number[] = [];
  const reasons: unknown[] = [];
  const greeter = service(GreeterService, {
    async sayHello({ name }, { signal }) {
      leftMs.push((deadlineOf(signal) ?? Number.NaN) - steadyNow());
      if (name === "failing") throw new ServiceError("unavailable", "not now");
      if (name === "slow") {
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        reasons.push(signal.reason);
      }
      return { message: `Hello ${name}` };
    },
  });
  await using server = await serve(
    { services: [greeter], telemetry: noTelemetry },
    { host: "127.0.0.1", port: 0, graceMs: 500 },
  );
  await using envoy = await startEnvoy({
    greeter: { prefix: "/greeter.v1.", endpoints: [`127.0.0.1:${server.port}`] },
  });
  for (const transport of transportNames) {
    await using channel = await connect(envoy.target, noTelemetry, { transport, timeoutMs: 10_000 });
    const client = createClient(GreeterService, channel);
    await eventually(
      () => client.sayHello({ name: "Ada" }).then(({ message }) => message, codeOf),
      (message) => message === "Hello Ada",
    );
    leftMs.length = 0;
    await assert.rejects(client.sayHello({ name: "slow" }, { timeoutMs: 800 }), { code: "deadline_exceeded" });
    assert.equal(leftMs.length, 1);
    assert.ok((leftMs[0] ?? 0) > 0 && (leftMs[0] ?? 0) <= 900, `${leftMs[0]} ms were left`);
    await eventually(
      () => reasons.length,
      (count) => count === 1,
    );
    reasons.length = 0;
    leftMs.length = 0;
    await assert.rejects(client.sayHello({ name: "failing" }), { code: "unavailable", message: /not now/ });
    assert.equal(leftMs.length, 1, "one attempt");
  }
});
