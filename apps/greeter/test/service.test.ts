/** The service through its API: real gRPC in this process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { descriptorSet, GreeterService } from "@plumbline/contracts";
import { connect, createClient, HealthService, serve, servingStatus } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { greeterService } from "../src/greeter-service.ts";

async function open() {
  const stack = new AsyncDisposableStack();
  const parts = { services: [greeterService], descriptors: descriptorSet, telemetry: noTelemetry };
  const server = stack.use(await serve(parts, { host: "127.0.0.1", port: 0 }));
  const channel = stack.use(await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 5_000 }));
  return {
    greeter: createClient(GreeterService, channel),
    health: createClient(HealthService, channel),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("SayHello answers with the greeting", async () => {
  await using app = await open();
  assert.deepEqual(await app.greeter.sayHello({ name: "Ada" }), { message: "Hello Ada" });
});

test("SayHello says which field of a request is wrong", async () => {
  await using app = await open();
  await assert.rejects(app.greeter.sayHello({ name: "" }), {
    code: "invalid_argument",
    violations: [{ field: "name", description: "must have 1 to 100 characters" }],
  });
});

test("greeter answers health checks by its name", async () => {
  await using app = await open();
  const { status } = await app.health.check({ service: "greeter.v1.Greeter" });
  assert.equal(status, servingStatus.SERVING);
});
