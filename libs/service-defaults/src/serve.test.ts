import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "@plumbline/config";
import { connect, createClient, HealthService, servingStatus } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { openOps } from "./open-ops.ts";
import { serveRpc } from "./serve-rpc.ts";
import { serveUntilStopped } from "./serve-until-stopped.ts";

const host = "127.0.0.1";
const readiness = async (port: number): Promise<number> => (await fetch(`http://${host}:${port}/readyz`)).status;

test("a service is ready while it serves, and not ready while it drains", async () => {
  await using ops = await openOps({ host, port: 0 }, { nothing: async () => {} }, noTelemetry);
  assert.equal(await readiness(ops.port), 503);
  const stop = new AbortController();
  const steps: string[] = [];
  const logger = {
    ...noTelemetry.logger,
    info: (message: string, fields?: object) => void steps.push(`${message} ${JSON.stringify(fields)}`),
  };
  const service = {
    name: "sample",
    ops,
    port: 7,
    transport: "http2",
    drainMs: 50,
    onDrain: () => void steps.push("drains"),
    recycle: () => void steps.push("recycles"),
  };
  const serving = serveUntilStopped(service, { logger }, { signal: stop.signal });
  assert.equal(await readiness(ops.port), 200);
  stop.abort();
  assert.equal(await readiness(ops.port), 503);
  await serving;
  assert.deepEqual(steps, [
    `sample is listening {"port":7,"opsPort":${ops.port},"transport":"http2"}`,
    "drains",
    "recycles",
    "recycles",
  ]);
});

test("a service is not ready before its dependencies answer", async () => {
  let isDown = true;
  const database = { ping: async () => (isDown ? Promise.reject(new Error("connection refused")) : undefined) };
  await using ops = await openOps({ host, port: 0 }, { database }, noTelemetry);
  ops.health.ready();
  assert.equal(await readiness(ops.port), 503);
  isDown = false;
  assert.equal(await readiness(ops.port), 200);
});

test("a service is not ready while its database takes no writes, and ready although it does not answer", async () => {
  let problem: Error | undefined;
  const database = { ping: async () => (problem === undefined ? undefined : Promise.reject(problem)) };
  await using ops = await openOps({ host, port: 0 }, { database }, noTelemetry);
  ops.health.ready();
  const becomes = async (status: number, answers: boolean) => {
    const until = performance.now() + 20_000;
    while ((await readiness(ops.port)) !== status || ops.health.report()["database"] !== answers) {
      assert.ok(performance.now() < until, `not ${status} within 20 s`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await becomes(200, true);
  problem = new Error("connection refused");
  await becomes(200, false);
  problem = Object.assign(new Error("it is read-only"), { reason: "DATABASE_READ_ONLY" });
  await becomes(503, false);
  problem = undefined;
  await becomes(200, true);
});

test("serveRpc answers health checks on the port that it took", async () => {
  const parts = { services: [], telemetry: noTelemetry };
  await using server = await serveRpc(parts, { host, port: 0, graceMs: 100 });
  await using channel = await connect(`${host}:${server.port}`, noTelemetry);
  const { status } = await createClient(HealthService, channel).check({ service: "" });
  assert.equal(status, servingStatus.SERVING);
});

test("serveRpc names the certificate files that it cannot read", async () => {
  const parts = { services: [], telemetry: noTelemetry };
  const tls = { certificateFile: "/nowhere/tls.crt", keyFile: "/nowhere/tls.key" };
  await assert.rejects(serveRpc(parts, { host, port: 0, tls }), (error) => {
    return error instanceof ConfigError && error.message.includes("/nowhere/tls.crt");
  });
});
