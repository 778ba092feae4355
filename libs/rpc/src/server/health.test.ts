import assert from "node:assert/strict";
import { test } from "node:test";
import { GreeterService } from "@plumbline/contracts";
import { codeOf } from "@plumbline/errors";
import { Health } from "@plumbline/lifecycle";
import { noTelemetry } from "@plumbline/telemetry";
import { connect } from "../client/connect.ts";
import { createClient } from "../client/create-client.ts";
import { HealthService, servingStatus } from "../index.ts";
import { serve } from "./serve.ts";
import { service } from "./service.ts";

const greeter = service(GreeterService, { sayHello: async ({ name }) => ({ message: name }) });
const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = servingStatus;

async function open(health?: Health) {
  const stack = new AsyncDisposableStack();
  const server = stack.use(
    await serve(
      { services: [greeter], health, telemetry: noTelemetry },
      { host: "127.0.0.1", port: 0, graceMs: 1_000 },
    ),
  );
  const channel = stack.use(await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 5_000 }));
  return {
    server,
    client: createClient(HealthService, channel),
    channel,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("the server and each service have the health of the process", async () => {
  const health = new Health();
  await using app = await open(health);
  for (const service of ["", "greeter.v1.Greeter"]) {
    assert.equal((await app.client.check({ service })).status, NOT_SERVING);
  }
  health.ready();
  for (const service of ["", "greeter.v1.Greeter"]) {
    assert.equal((await app.client.check({ service })).status, SERVING);
  }
});

test("a server without health checks is serving", async () => {
  await using app = await open();
  assert.equal((await app.client.check({ service: "" })).status, SERVING);
});

test("an unknown service is not found", async () => {
  await using app = await open();
  await assert.rejects(app.client.check({ service: "orders.v1.OrdersService" }), { code: "not_found" });
});

test("a watcher gets each change, and the end of the server", async () => {
  const health = new Health();
  await using app = await open(health);
  const got: number[] = [];
  let code: string | undefined;
  try {
    for await (const { status } of app.client.watch({ service: "" })) {
      got.push(status);
      if (got.length === 1) health.ready();
      if (got.length === 2) health.drain();
      if (got.length === 3) void app.server.drain();
    }
  } catch (error) {
    code = codeOf(error);
  }
  assert.deepEqual(got, [NOT_SERVING, SERVING, NOT_SERVING]);
  assert.equal(code, "unavailable");
});

test("watching an unknown service reports SERVICE_UNKNOWN and stays open", async () => {
  await using app = await open(new Health());
  const watch = app.client.watch({ service: "nobody" }, { timeoutMs: 300 })[Symbol.asyncIterator]();
  assert.equal((await watch.next()).value?.status, SERVICE_UNKNOWN);
  await assert.rejects(watch.next(), (error) => codeOf(error) === "deadline_exceeded");
});

test("the bytes are those of grpc.health.v1", async () => {
  await using app = await open();
  const request = Buffer.concat([Buffer.from([0x0a, 18]), Buffer.from("greeter.v1.Greeter")]);
  const { message } = await app.channel.unary("/grpc.health.v1.Health/Check", request);
  assert.equal(Buffer.from(message).toString("hex"), "0801");
});
