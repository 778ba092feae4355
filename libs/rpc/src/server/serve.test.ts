import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { Writable } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { deadlineOf } from "@plumbline/concurrency";
import { codeOf, ServiceError } from "@plumbline/errors";
import { Connection, dial, HeaderField } from "@plumbline/http2";
import { noTelemetry, startTelemetry } from "@plumbline/telemetry";
import { connect } from "../client/connect.ts";
import { createClient } from "../client/create-client.ts";
import { Conformance, type ConformanceHandlers, rejection } from "../conformance/test-context.ts";
import { earlyMs } from "../deadline.ts";
import { pathOf } from "../definition.ts";
import { transportNames } from "../transports/index.ts";
import { serve } from "./serve.ts";
import { service } from "./service.ts";

const handlers: ConformanceHandlers = {
  unary: async (request) => {
    if (request === "unnamed") throw new Error("password=hunter2");
    if (request === "refused") throw new ServiceError("failed_precondition", "not now");
    return request;
  },
  clientStream: async () => "",
  async *serverStream(request) {
    yield request;
  },
  async *bidiStream(requests) {
    yield* requests;
  },
};

test("a port in use is a clear error", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  const parts = { services: [service(Conformance, handlers)], telemetry: noTelemetry };
  await assert.rejects(serve(parts, { host: "127.0.0.1", port }), {
    code: "unavailable",
    message: `the rpc address 127.0.0.1:${port} cannot be opened: another process uses it`,
  });
  taken.close();
});

test("two services with the same name are rejected", async () => {
  const twin = service(Conformance, handlers);
  const serving = serve({ services: [twin, twin], telemetry: noTelemetry }, { host: "127.0.0.1", port: 0 });
  await assert.rejects(serving, TypeError);
});

test("an IPv6 address can be listened on and called", async () => {
  const parts = { services: [service(Conformance, handlers)], telemetry: noTelemetry };
  await using server = await serve(parts, { host: "::1", port: 0 });
  await using channel = await connect(`ipv6:[::1]:${server.port}`, noTelemetry);
  assert.equal(await createClient(Conformance, channel).unary("hi"), "hi");
});

for (const transport of transportNames) {
  test(`a handler that reads its signal after its call over ${transport} has ended finds it aborted`, {
    timeout: 20_000,
  }, async () => {
    const asked = Promise.withResolvers<unknown>();
    let known = 0;
    const late: ConformanceHandlers = {
      ...handlers,
      unary: async (_request, call) => {
        await refused;
        const { signal } = call;
        known = deadlineOf(signal) ?? 0;
        const limit = { signal: AbortSignal.timeout(10_000) };
        asked.resolve(signal.aborted ? signal.reason : once(signal, "abort", limit).then(() => signal.reason));
        return "";
      },
    };
    const parts = { services: [service(Conformance, late)], telemetry: noTelemetry };
    await using server = await serve(parts, { host: "127.0.0.1", port: 0, transport });
    await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { transport });
    await channel.ready({ signal: AbortSignal.timeout(10_000) });
    const start = Date.now();
    const refused = rejection(createClient(Conformance, channel).unary("hi", { timeoutMs: 100 })).then(
      async (error) => {
        await sleep(50); // The server's timer may fire a little later than ours; if later still, its signal aborts later.
        return error;
      },
    );
    assert.equal(codeOf(await refused), "deadline_exceeded");
    const code = codeOf(await asked.promise);
    // A request that arrives late on a busy machine is cancelled well before the server's deadline.
    const arrivedLate = known - (start + 100) > earlyMs;
    assert.ok(code === "deadline_exceeded" || (arrivedLate && code === "cancelled"), code);
  });

  test(`a draining server over ${transport} waits for a request in flight and answers it`, {
    timeout: 20_000,
  }, async () => {
    const parts = { services: [service(Conformance, handlers)], telemetry: noTelemetry };
    await using server = await serve(parts, { host: "127.0.0.1", port: 0, transport, graceMs: 10_000 });
    const ready = Promise.withResolvers<void>();
    const connection = new Connection(dial({ host: "127.0.0.1", port: server.port }), "client", {
      onSettings: ready.resolve,
    });
    await ready.promise;
    const begin = () => {
      const status = Promise.withResolvers<string | undefined>();
      const request = {
        ":method": "POST",
        ":scheme": "http",
        ":path": pathOf(Conformance, Conformance.methods.unary),
        ":authority": "test",
      };
      const fields = Object.entries({ ...request, "content-type": "application/grpc", te: "trailers" });
      const stream = connection.open(
        fields.map(([name, value]) => new HeaderField(name, value)),
        false,
        {
          onHeaders() {},
          onData() {},
          onTrailers: (trailers) => status.resolve(trailers.find(({ name }) => name === "grpc-status")?.value),
          onReset: status.reject,
          onDrain() {},
        },
      );
      return { stream, status: status.promise };
    };
    const late = begin();
    late.stream.sendData(Buffer.from([0, 0, 0, 0, 2, 0x68]), false);
    // Its response shows that everything sent before it has arrived.
    const whole = begin();
    whole.stream.sendData(Buffer.alloc(5), true);
    assert.equal(await whole.status, "0");
    const drained = server.drain();
    await sleep(800); // Longer than a server waits for a client that does not read.
    late.stream.sendData(Buffer.from("i"), true);
    assert.equal(await late.status, "0");
    await drained;
  });
}

test("a call is one log line and one observation on each side, whatever its outcome", async () => {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().trim().split("\n")) lines.push(JSON.parse(line));
      done();
    },
  });
  const telemetry = startTelemetry({ service: "test", destination });
  {
    const parts = { services: [service(Conformance, handlers)], telemetry };
    await using server = await serve(parts, { host: "127.0.0.1", port: 0 });
    await using channel = await connect(`127.0.0.1:${server.port}`, telemetry);
    const client = createClient(Conformance, channel);
    await client.unary("fine");
    await rejection(client.unary("refused"));
    await rejection(client.unary("unnamed"));
    assert.deepEqual(await Array.fromAsync(client.serverStream("a")), ["a"]);
  }
  const { body } = await telemetry.metrics.text();
  await telemetry[Symbol.asyncDispose]();

  const seen = lines.map(({ level, method, code }) => ({ level, method, code }));
  const unary = "plumbline.rpc.Conformance/Unary";
  assert.deepEqual(seen, [
    { level: "info", method: unary, code: "ok" },
    { level: "info", method: unary, code: "failed_precondition" },
    { level: "error", method: unary, code: "internal" },
    { level: "info", method: "plumbline.rpc.Conformance/ServerStream", code: "ok" },
  ]);
  assert.match(JSON.stringify(lines[2]), /hunter2/, "the log has the cause");
  for (const line of lines) assert.match(String(line["trace_id"]), /^[0-9a-f]{32}$/);
  for (const side of ["server", "client"]) {
    for (const code of ["ok", "failed_precondition", "internal"]) {
      const counted = new RegExp(
        `^rpc_${side}_call_duration_seconds_count{.*method="${unary}",code="${code}".*} 1$`,
        "m",
      );
      assert.match(body, counted);
    }
    assert.match(body, new RegExp(`^rpc_${side}_calls_in_flight{.*method="${unary}".*} 0$`, "m"));
  }
});

test("a service's own interceptors run inside the server's, outermost first, around the handler", async () => {
  const order: string[] = [];
  const layer = (name: string) => async (call: { method: string }, next: (call: never) => Promise<void>) => {
    order.push(`${name} before`);
    await next(call as never);
    order.push(`${name} after`);
  };
  const parts = {
    services: [service(Conformance, { ...handlers, unary: async () => String(order.push("handler")) })],
    telemetry: noTelemetry,
    interceptors: [layer("a"), layer("b")],
  };
  await using server = await serve(parts, { host: "127.0.0.1", port: 0 });
  await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry);
  await createClient(Conformance, channel).unary("");
  assert.deepEqual(order, ["a before", "b before", "handler", "b after", "a after"]);
});
