import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { ServiceError } from "@plumbline/errors";
import { startTelemetry } from "@plumbline/telemetry";
import { openClients } from "../src/clients.ts";
import { openGateway } from "./support/gateway.ts";
import { orderOf, serveServices } from "./support/grpc-services.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";

type Line = Readonly<Record<string, unknown>>;

/** Telemetry whose lines a test can read. */
function observed() {
  const destination = new PassThrough();
  const lines: Line[] = [];
  let wake: (() => void) | undefined;
  destination.on("data", (chunk: Buffer) => {
    for (const line of String(chunk).trim().split("\n")) lines.push(JSON.parse(line) as Line);
    wake?.();
  });
  const telemetry = startTelemetry({ service: "gateway", destination });
  /** The next line with this message. */
  const line = async (message: string): Promise<Line> => {
    for (;;) {
      const index = lines.findIndex((one) => one["message"] === message);
      if (index >= 0) return lines.splice(index, 1)[0] ?? {};
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { telemetry, lines, line, [Symbol.asyncDispose]: () => telemetry[Symbol.asyncDispose]() };
}

describe("a request", () => {
  const upstream = new MemoryUpstream(plumbline, {
    GetOrder: () => ({ id: "7" }),
    SayHello: () => {
      throw new Error("select secret from table");
    },
    ListOrders: () => {
      throw new ServiceError("unavailable", "connect ECONNREFUSED");
    },
  });

  test("is one line of the access log, with its template, status, duration and ids", async () => {
    await using seen = observed();
    const trusted = { trustProxy: "loopback", trustTrace: true };
    await using gateway = await openGateway(plumbline, { upstream, telemetry: seen.telemetry, ...trusted });
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    await gateway.fetch("/v1/orders/7?secret=1", {
      headers: { "x-request-id": "r-1", traceparent: `00-${trace}-00f067aa0ba902b7-01` },
    });
    const { time, durationMs, span_id, ...line } = await seen.line("request");
    assert.deepEqual(line, {
      level: "info",
      service: "gateway",
      message: "request",
      trace_id: trace,
      method: "GET",
      route: "/v1/orders/{order_id}",
      path: "/v1/orders/7",
      status: 400,
      requestId: "r-1",
      client: "127.0.0.1",
      code: "INVALID_REQUEST",
    });
    assert.ok(typeof time === "string" && typeof durationMs === "number" && typeof span_id === "string");
    assert.equal(seen.lines.length, 0);
  });

  test("that fails with an unexpected error logs it once and hides it from the caller", async () => {
    await using seen = observed();
    await using gateway = await openGateway(plumbline, { upstream, telemetry: seen.telemetry });
    const response = await gateway.fetch("/v1/greetings/a");
    assert.doesNotMatch(await response.text(), /secret/);
    assert.match(JSON.stringify(await seen.line("request failed")), /select secret from table/);
    assert.equal((await seen.line("request"))["status"], 500);
    assert.equal(seen.lines.length, 0);
  });

  test("to a service that cannot be reached is logged with the cause", async () => {
    await using seen = observed();
    await using gateway = await openGateway(plumbline, { upstream, telemetry: seen.telemetry });
    await gateway.fetch("/v1/orders");
    assert.equal((await seen.line("request"))["error"], "connect ECONNREFUSED");
  });

  test("is logged as 499 if its client disconnects", async () => {
    await using seen = observed();
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const slow = new MemoryUpstream(plumbline, {
      GetOrder: () => {
        reach();
        return new Promise<never>(() => {});
      },
    });
    await using gateway = await openGateway(plumbline, { upstream: slow, telemetry: seen.telemetry });
    const client = new AbortController();
    const answer = gateway.fetch("/v1/orders/7", { signal: client.signal }).catch(() => {});
    await reached;
    client.abort();
    await answer;
    assert.equal((await seen.line("request"))["status"], 499);
  });

  test("is counted by method and code and timed by template; labels come from closed sets", async () => {
    await using seen = observed();
    await using gateway = await openGateway(plumbline, { upstream, telemetry: seen.telemetry });
    for (let i = 0; i < 50; i++) await gateway.fetch(`/v1/orders/${i}`);
    for (let i = 0; i < 50; i++) await gateway.fetch(`/nowhere/${i}`);
    await gateway.fetch("/v1/orders/7", { method: "PURGE" });
    for (let i = 0; i < 101; i++) await seen.line("request");
    const { body } = await seen.telemetry.metrics.text();
    assert.match(body, /^http_requests_total\{method="GET",code="200"\} 50$/m);
    assert.match(body, /^http_requests_total\{method="GET",code="404"\} 50$/m);
    assert.match(body, /^http_requests_total\{method="OTHER",code="405"\} 1$/m);
    assert.match(
      body,
      /^http_server_request_duration_seconds_count\{method="GET",route="\/v1\/orders\/\{order_id\}",code="200"\} 50$/m,
    );
    assert.match(body, /^http_server_request_duration_seconds_count\{method="GET",route="other",code="404"\} 50$/m);
    assert.match(body, /^http_server_active_requests\{method="GET"\} 0$/m);
  });

  for (const { name, trusted, believed } of [
    { name: "of a stranger is not continued", trusted: {}, believed: false },
    { name: "of a trusted proxy is not continued without the setting", trusted: { trustProxy: 1 }, believed: false },
    {
      name: "of another address than the trusted proxy's is not continued",
      trusted: { trustProxy: "10.0.0.0/8", trustTrace: true },
      believed: false,
    },
    {
      name: "of a trusted proxy is continued with the setting",
      trusted: { trustProxy: 1, trustTrace: true },
      believed: true,
    },
  ]) {
    test(`with a trace ${name}, and its tracestate ends here`, async () => {
      await using seen = observed();
      const received: unknown[] = [];
      await using services = await serveServices({
        getOrder: async (id, { metadata }) => {
          received.push(metadata.get("traceparent"), metadata.get("tracestate"));
          return orderOf({ id });
        },
      });
      await using clients = await openClients({ all: `dns:///127.0.0.1:${services.port}` }, seen.telemetry, {
        transport: "grpc-js",
      });
      await using gateway = await openGateway(plumbline, {
        upstream: clients.get("all") ?? assert.fail(),
        telemetry: seen.telemetry,
        ...trusted,
      });
      const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
      const headers = { traceparent: `00-${trace}-00f067aa0ba902b7-01`, tracestate: "evil=1" };
      const { status } = await gateway.fetch("/v1/orders/0190a7c2-58c5-7000-8000-000000000001", { headers });
      assert.equal(status, 200);
      const [traceparent, tracestate] = received;
      assert.match(String(traceparent), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
      assert.equal(String(traceparent).includes(trace), believed);
      assert.equal(String(traceparent).endsWith("-01"), believed, "sampled by the client's flag");
      assert.equal(tracestate, undefined);
    });
  }

  test("passes its trace on to the service", async () => {
    await using seen = observed();
    let traceparent: unknown;
    await using services = await serveServices({
      getOrder: async (id, { metadata }) => {
        traceparent = metadata.get("traceparent");
        return orderOf({ id });
      },
    });
    await using clients = await openClients({ all: `dns:///127.0.0.1:${services.port}` }, seen.telemetry, {
      transport: "grpc-js",
    });
    await using gateway = await openGateway(plumbline, {
      upstream: clients.get("all") ?? assert.fail(),
      telemetry: seen.telemetry,
    });
    await gateway.fetch("/v1/orders/7");
    const { trace_id } = await seen.line("request");
    assert.match(String(traceparent), new RegExp(`^00-${String(trace_id)}-[0-9a-f]{16}-0[01]$`));
  });
});
