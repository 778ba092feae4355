/** The process as it is deployed: started, called and stopped. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { GreeterService } from "@plumbline/contracts";
import { codeOf } from "@plumbline/errors";
import { connect, createClient, HealthService, servingStatus } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { runService, startService } from "@plumbline/tools-engines";

const ports = { GREETER_RPC_HOST: "127.0.0.1", GREETER_RPC_PORT: "0", GREETER_OPS_PORT: "0" };

/** Starts a greeter on free ports, and connects to it. */
async function open() {
  await using opened = new AsyncDisposableStack();
  const { process, port } = opened.use(await startService("greeter", ports));
  const channel = opened.use(await connect(`127.0.0.1:${port}`, noTelemetry, { timeoutMs: 5_000 }));
  const owned = opened.move();
  return {
    process,
    client: createClient(GreeterService, channel),
    health: createClient(HealthService, channel),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test("greeter starts, greets, and exits with 0 after SIGTERM", { timeout: 20_000 }, async () => {
  await using greeter = await open();
  assert.deepEqual(await greeter.client.sayHello({ name: "Ada" }), { message: "Hello Ada" });
  assert.equal((await greeter.health.check({ service: "" })).status, servingStatus.SERVING);
  assert.deepEqual(await greeter.process.end("SIGTERM"), [0, null]);
  assert.doesNotMatch(greeter.process.output(), /^(?!\{)./m, "lines that are not of the log");
});

test("after SIGTERM under load it answers every accepted call", { timeout: 30_000 }, async () => {
  await using greeter = await open();
  const { client } = greeter;
  let answered = 0;
  const warm = Promise.withResolvers<void>();
  const refusals: { readonly code: string; readonly message: string }[] = [];
  const callers = Array.from({ length: 32 }, async () => {
    for (;;) {
      try {
        await client.sayHello({ name: "Ada" });
        if (++answered === 500) warm.resolve();
      } catch (error) {
        refusals.push({ code: codeOf(error), message: (error as Error).message });
        return;
      }
    }
  });
  await warm.promise;
  greeter.process.child.kill("SIGTERM");
  await Promise.all(callers);
  assert.deepEqual(await greeter.process.exited, [0, null]);
  // No connection was made for later calls. One that is reset later would be a lost call.
  for (const { code, message } of refusals) {
    assert.equal(code, "unavailable");
    assert.match(message, /ECONNREFUSED|No connection established|cannot be reached/);
  }
  const accepted = greeter.process.lines("call").filter(({ method }) => method === "greeter.v1.Greeter/SayHello");
  assert.equal(accepted.length, answered);
  assert.ok(accepted.every(({ code }) => code === "ok"));
});

test("with a port that is in use it exits with 1 and names the port", { timeout: 20_000 }, async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  try {
    const { port } = taken.address() as { port: number };
    const { code, output } = await runService("greeter", { ...ports, GREETER_RPC_PORT: `${port}` });
    assert.equal(code, 1);
    assert.match(output, new RegExp(`127\\.0\\.0\\.1:${port}.*(another process|in use)`, "i"));
  } finally {
    taken.close();
  }
});

test("with wrong settings it names all of them and exits with 1", { timeout: 20_000 }, async () => {
  const wrong = { GREETER_RPC_PORT: "high", GREETER_GRACE_MS: "1", GREETER_NAME: "x" };
  const { code, output } = await runService("greeter", { ...ports, ...wrong });
  assert.equal(code, 1);
  for (const name of ["GREETER_RPC_PORT", "GREETER_NAME"]) assert.match(output, new RegExp(name));
});
