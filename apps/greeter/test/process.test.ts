/** The process as it is deployed: started, called and stopped. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { GreeterService } from "@plumbline/contracts";
import { codeOf } from "@plumbline/errors";
import { connect, createClient, HealthService, servingStatus } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";

interface Line {
  readonly message: string;
  readonly port?: number;
  readonly method?: string;
  readonly code?: string;
}

/** A greeter on free ports, with its log. It is killed at the end of the test, if it still runs. */
class Greeter implements Disposable {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  readonly errors: Promise<string>;
  readonly exited: Promise<unknown[]>;
  readonly #listening = Promise.withResolvers<number>();

  constructor(environment: Record<string, string> = {}) {
    const main = join(import.meta.dirname, "../src/main.ts");
    this.child = spawn(process.execPath, ["-C", "source", main], {
      cwd: import.meta.dirname,
      env: {
        PATH: process.env["PATH"],
        GREETER_RPC_HOST: "127.0.0.1",
        GREETER_RPC_PORT: "0",
        GREETER_OPS_PORT: "0",
        ...environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.child;
    assert.ok(stdout && stderr);
    this.errors = text(stderr);
    this.exited = once(this.child, "close");
    this.exited.then(() => this.#listening.reject(new Error("greeter ended before it listened")));
    this.#listening.promise.catch(() => {});
    createInterface({ input: stdout }).on("line", (json) => {
      const line = JSON.parse(json) as Line;
      this.lines.push(line);
      if (line.message === "greeter is listening" && line.port) this.#listening.resolve(line.port);
    });
  }

  async connect() {
    const port = await this.#listening.promise;
    const channel = await connect(`127.0.0.1:${port}`, noTelemetry, { timeoutMs: 5_000 });
    const client = createClient(GreeterService, channel);
    return {
      client,
      health: createClient(HealthService, channel),
      [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
    };
  }

  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
  }
}

test("greeter starts, greets, and exits with 0 after SIGTERM", { timeout: 20_000 }, async () => {
  using greeter = new Greeter();
  await using connection = await greeter.connect();
  assert.deepEqual(await connection.client.sayHello({ name: "Ada" }), { message: "Hello Ada" });
  assert.equal((await connection.health.check({ service: "" })).status, servingStatus.SERVING);
  greeter.child.kill("SIGTERM");
  assert.deepEqual(await greeter.exited, [0, null]);
  assert.equal(await greeter.errors, "");
});

test("after SIGTERM under load it answers every accepted call", { timeout: 30_000 }, async () => {
  using greeter = new Greeter();
  await using connection = await greeter.connect();
  const { client } = connection;
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
  greeter.child.kill("SIGTERM");
  await Promise.all(callers);
  assert.deepEqual(await greeter.exited, [0, null]);
  // Later calls find the port closed. A broken connection would mean a call that was in flight.
  for (const { code, message } of refusals) {
    assert.equal(code, "unavailable");
    assert.match(message, /ECONNREFUSED/);
  }
  const accepted = greeter.lines.filter(({ method }) => method === "greeter.v1.Greeter/SayHello");
  assert.equal(accepted.length, answered);
  assert.ok(accepted.every(({ code }) => code === "ok"));
});

test("with a port that is in use it exits with 1 and names the port", { timeout: 20_000 }, async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  try {
    const { port } = taken.address() as { port: number };
    using greeter = new Greeter({ GREETER_RPC_PORT: `${port}` });
    assert.deepEqual(await greeter.exited, [1, null]);
    assert.match(await greeter.errors, new RegExp(`127\\.0\\.0\\.1:${port}.*(another process|in use)`, "i"));
  } finally {
    taken.close();
  }
});

test("with wrong settings it names all of them and exits with 1", { timeout: 20_000 }, async () => {
  using greeter = new Greeter({ GREETER_RPC_PORT: "high", GREETER_GRACE_MS: "1", GREETER_NAME: "x" });
  assert.deepEqual(await greeter.exited, [1, null]);
  const errors = await greeter.errors;
  for (const name of ["GREETER_RPC_PORT", "GREETER_NAME"]) assert.match(errors, new RegExp(name));
});
