/** Health checks and outlier detection, by a real Envoy between a client and gRPC servers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { GreeterService } from "@plumbline/contracts";
import { connect, createClient } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, freePort, startTestEnvoy, whyNoEnvoy } from "@plumbline/tools-engines";
import { startControlPlane } from "./support.ts";
import { Greeter } from "./upstreams.ts";

const timeout = 120_000;

/** Starts an Envoy in front of the greeters. `answers` calls through it; errors are their codes. */
async function startProxy(greeters: readonly Greeter[], cluster: object) {
  await using opened = new AsyncDisposableStack();
  const controlPlane = opened.use(await startControlPlane());
  const port = await freePort();
  controlPlane.put({
    listeners: { main: { host: "127.0.0.1", port, routes: "main" } },
    clusters: { greeter: { endpoints: greeters.map(({ endpoint }) => endpoint), protocol: "http2", ...cluster } },
    routes: { main: [{ rules: [{ to: "greeter", retries: { attempts: 0 } }] }] },
  });
  opened.use(await startTestEnvoy({ controlPlanePort: controlPlane.port, variant: "delta" }));
  const channel = opened.use(await connect(`127.0.0.1:${port}`, noTelemetry, { timeoutMs: 5_000 }));
  const client = createClient(GreeterService, channel);
  const call = () =>
    client.sayHello({ name: "Ada" }).then(
      ({ message }) => message,
      (error: { readonly code: string }) => error.code,
    );
  const owned = opened.move();
  return {
    answers: (count: number) => Promise.all(Array.from({ length: count }, call)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const names = (answers: readonly string[]): string => [...new Set(answers)].toSorted().join(" ");

describe("Envoy in front of gRPC servers", { skip: whyNoEnvoy() ?? false }, () => {
  const healthCheck = { grpc: "", intervalMs: 100, timeoutMs: 1_000, unhealthyAfter: 2, healthyAfter: 1 };

  test("sends nothing to a server whose health is NOT_SERVING, until it serves again", { timeout }, async () => {
    await using a = await Greeter.start("a");
    await using b = await Greeter.start("b");
    await using proxy = await startProxy([a, b], { healthCheck });
    const seen = (expected: string) =>
      eventually(
        async () => names(await proxy.answers(40)),
        (text) => text === expected,
      );
    await seen("a b");
    b.isServing = false;
    await seen("a");
    const before = b.calls;
    assert.equal(names(await proxy.answers(100)), "a");
    assert.equal(b.calls, before);
    b.isServing = true;
    await seen("a b");
  });

  for (const host of ["127.0.0.1", "localhost"]) {
    test(`asks another port of a server, named ${host}, over HTTP`, { timeout }, async () => {
      await using a = await Greeter.start("a");
      let status = 503;
      const health = createServer((_request, response) => response.writeHead(status).end()).listen(0, "127.0.0.1");
      await once(health, "listening");
      const { grpc: _, ...times } = healthCheck;
      const { port } = health.address() as AddressInfo;
      const endpoints = [a.endpoint.replace(/^.*:/, `${host}:`)];
      const cluster = { endpoints, healthCheck: { http: "/readyz", port, ...times }, panicPercent: 0 };
      try {
        await using proxy = await startProxy([], cluster);
        const seen = (expected: string) =>
          eventually(
            async () => names(await proxy.answers(4)),
            (text) => text === expected,
          );
        await seen("unavailable");
        status = 200;
        await seen("a");
        status = 503;
        await seen("unavailable");
      } finally {
        health.closeAllConnections();
        health.close();
      }
    });
  }

  test("sends requests to all servers when less than panicPercent of them are healthy", { timeout }, async () => {
    await using a = await Greeter.start("a");
    await using b = await Greeter.start("b");
    for (const [panicPercent, expected] of [
      [50, "a b"],
      [0, "unavailable"],
    ] as const) {
      a.isServing = true;
      b.isServing = true;
      await using proxy = await startProxy([a, b], { healthCheck, panicPercent });
      const seen = (text: string) =>
        eventually(
          async () => names(await proxy.answers(40)),
          (now) => now === text,
        );
      await seen("a b");
      a.isServing = false;
      await seen("b");
      b.isServing = false;
      await seen(expected);
    }
  });

  test("takes out a server that fails five times in a row, and takes it back later", { timeout }, async () => {
    await using a = await Greeter.start("a");
    await using b = await Greeter.start("b");
    await using proxy = await startProxy([a, b], { outliers: { ejectMs: 1_000, intervalMs: 100 } });
    const seen = (expected: string) =>
      eventually(
        async () => names(await proxy.answers(40)),
        (text) => text === expected,
      );
    await seen("a b");
    b.isFailing = true;
    const failed = new Set<string>();
    await eventually(
      async () => {
        const answers = await proxy.answers(20);
        for (const answer of answers) failed.add(answer);
        return names(answers);
      },
      (text) => text === "a",
    );
    assert.ok(failed.has("unavailable"), "it was asked before it was taken out");
    b.isFailing = false;
    await seen("a b");
  });
});
