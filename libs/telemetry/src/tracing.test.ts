import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import test from "node:test";
import { setImmediate } from "node:timers/promises";
import { ServiceError } from "@plumbline/errors";
import { collector } from "../test/collector.ts";
import { Memory } from "../test/memory.ts";
import { startTelemetry, type TelemetryOptions } from "./start-telemetry.ts";

type Headers = Record<string, string>;

function start(options: Partial<TelemetryOptions> = {}) {
  const out = new Memory();
  return { out, ...startTelemetry({ service: "orders", destination: out, ...options }) };
}

/** Runs `work` with a real collector, and resolves once that has all spans. */
async function traced(work: (telemetry: ReturnType<typeof start>) => unknown, options: Partial<TelemetryOptions> = {}) {
  const received = await collector();
  await using _ = received;
  const telemetry = start({ otlpEndpoint: received.url, version: "1.2.3", ...options });
  await work(telemetry);
  await telemetry[Symbol.asyncDispose]();
  return received;
}

const remote = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };

test("spans arrive by OTLP over HTTP with their service, kind, attributes and events", async () => {
  const received = await traced(({ tracer }) =>
    tracer.span(
      "PlaceOrder",
      { kind: "server", attributes: { "rpc.system": "grpc", items: 2, left: undefined, list: ["a"] } },
      (span) => {
        span.setAttribute("order.total", 9);
        span.addEvent("stored", { version: 1 });
      },
    ),
  );
  assert.deepEqual(received.requests, [{ path: "/v1/traces", type: "application/x-protobuf" }]);
  const span = received.span("PlaceOrder");
  assert.equal(span.service, "orders");
  assert.equal(span.kind, 2);
  assert.equal(span.attributes["rpc.system"], "grpc");
  assert.equal(span.attributes["items"], "2");
  assert.equal(span.attributes["order.total"], "9");
  assert.equal("left" in span.attributes, false);
  assert.deepEqual(span.events, [{ name: "stored", attributes: { version: "1" } }]);
  assert.equal(span.status, 0);
});

test("an event of the tracer is one of the active span, and without a span it is dropped", async () => {
  const received = await traced(async ({ tracer }) => {
    tracer.addEvent("nowhere");
    await tracer.span("outer", {}, async () => {
      await setImmediate();
      tracer.addEvent("chosen", { variant: "on", left: undefined });
    });
  });
  assert.deepEqual(received.span("outer").events, [{ name: "chosen", attributes: { variant: "on" } }]);
});

test("the active span is the parent across awaits, timers and events, and is not visible outside", async () => {
  const emitter = new EventEmitter();
  const received = await traced(async ({ tracer }) => {
    assert.equal(tracer.current(), undefined);
    await tracer.span("outer", {}, async () => {
      await setImmediate();
      await Promise.all(["a", "b"].map((name) => tracer.span(name, {}, () => setImmediate())));
      emitter.once("go", () => tracer.span("event", {}, () => {}));
      emitter.emit("go");
      await new Promise<void>((resolve) => setTimeout(() => tracer.span("timer", {}, () => resolve()), 1));
    });
    assert.equal(tracer.current(), undefined);
  });
  const outer = received.span("outer");
  assert.equal(outer.parentSpanId, "");
  for (const name of ["a", "b", "event", "timer"]) {
    assert.equal(received.span(name).parentSpanId, outer.spanId, name);
    assert.equal(received.span(name).traceId, outer.traceId, name);
  }
});

test("concurrent requests never mix their spans", async () => {
  const received = await traced(({ tracer }) =>
    Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        tracer.span(`outer ${i}`, {}, async () => {
          for (let step = 0; step < i % 7; step++) await setImmediate();
          await tracer.span(`inner ${i}`, {}, () => setImmediate());
        }),
      ),
    ),
  );
  assert.equal(new Set(received.spans.map((span) => span.traceId)).size, 50);
  for (let i = 0; i < 50; i++)
    assert.equal(received.span(`inner ${i}`).parentSpanId, received.span(`outer ${i}`).spanId);
});

test("a span continues the trace of its remote parent", async () => {
  const received = await traced(({ tracer }) => tracer.span("s", { parent: remote }, () => {}));
  assert.equal(received.span("s").traceId, "0af7651916cd43dd8448eb211c80319c");
  assert.equal(received.span("s").parentSpanId, "b7ad6b7169203331");
});

for (const [name, traceparent] of [
  ["missing", undefined],
  ["not a traceparent", "nonsense"],
  ["all zeros", "00-00000000000000000000000000000000-b7ad6b7169203331-01"],
  ["of the forbidden version", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
  ["extremely long", "0".repeat(100_000)],
] as const) {
  test(`a parent that is ${name} starts a new trace, whatever span is active`, async () => {
    const received = await traced(({ tracer }) =>
      tracer.span("poll loop", {}, () => tracer.span("handle", { parent: { traceparent } }, () => {})),
    );
    assert.equal(received.span("handle").parentSpanId, "");
    assert.notEqual(received.span("handle").traceId, received.span("poll loop").traceId);
  });
}

test("a trace passes through HTTP, gRPC, the outbox and message headers to the worker and back", async () => {
  const received = await collector();
  await using _ = received;
  const service = (name: string) => start({ service: name, otlpEndpoint: received.url });
  const [gateway, orders, relay, worker] = [
    service("gateway"),
    service("orders"),
    service("orders-relay"),
    service("worker"),
  ];

  const outbox: Headers[] = [];
  const http: Headers = { ...remote, tracestate: "vendor=1" };
  await gateway.tracer.span("POST /v1/orders", { kind: "server", parent: http }, async () => {
    await gateway.tracer.span("orders.PlaceOrder", { kind: "client" }, async () => {
      const metadata = gateway.tracer.carrier();
      await orders.tracer.span("orders.PlaceOrder", { kind: "server", parent: metadata }, async () => {
        outbox.push(orders.tracer.span("append to outbox", { kind: "producer" }, () => orders.tracer.carrier()));
      });
    });
  });
  // Later, in another process and outside any request: only the row carries the trace.
  const topic = outbox.map((row) => JSON.parse(JSON.stringify(row)) as Headers);
  await relay.tracer.span("relay", { links: topic }, () => setImmediate());
  for (const headers of topic) {
    await worker.tracer.span("orders.v1.OrderPlaced", { kind: "consumer", parent: headers }, async () => {
      worker.logger.info("order fulfilled");
      const back = worker.tracer.carrier();
      await orders.tracer.span("fulfilment.v1.OrderFulfilled", { kind: "consumer", parent: back }, () =>
        setImmediate(),
      );
      assert.equal(back["tracestate"], "vendor=1");
    });
  }
  for (const telemetry of [gateway, orders, relay, worker]) await telemetry[Symbol.asyncDispose]();

  const chain = ["POST /v1/orders", "append to outbox", "orders.v1.OrderPlaced", "fulfilment.v1.OrderFulfilled"];
  for (const name of chain) assert.equal(received.span(name).traceId, "0af7651916cd43dd8448eb211c80319c", name);
  assert.equal(received.span("orders.v1.OrderPlaced").parentSpanId, received.span("append to outbox").spanId);
  assert.equal(received.span("orders.v1.OrderPlaced").service, "worker");
  assert.equal(
    received.span("fulfilment.v1.OrderFulfilled").parentSpanId,
    received.span("orders.v1.OrderPlaced").spanId,
  );
  assert.notEqual(received.span("relay").traceId, received.span("POST /v1/orders").traceId);
  assert.deepEqual(received.span("relay").links, [
    { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: received.span("append to outbox").spanId },
  ]);
  assert.equal(worker.out.last["trace_id"], "0af7651916cd43dd8448eb211c80319c");
  assert.equal(worker.out.last["span_id"], received.span("orders.v1.OrderPlaced").spanId);
});

test("a thrown error is recorded, ends the span and is rethrown, sync and async", async () => {
  const failure = new TypeError("broken", { cause: new Error("hidden cause") });
  const received = await traced(async ({ tracer }) => {
    assert.throws(
      () =>
        tracer.span("sync", {}, () => {
          throw failure;
        }),
      failure,
    );
    await assert.rejects(
      tracer.span("async", {}, () => Promise.reject(failure)),
      failure,
    );
    tracer.span("no throw", {}, (span) => span.fail(failure));
  });
  for (const name of ["sync", "async", "no throw"]) {
    const span = received.span(name);
    assert.equal(span.status, 2);
    assert.equal(span.statusMessage, "broken");
    assert.equal(span.attributes["error.type"], "TypeError");
    assert.equal(span.events[0]?.attributes["exception.message"], "broken");
    assert.doesNotMatch(JSON.stringify(span), /hidden cause/, "causes are for the log");
  }
});

for (const { name, kind, error, status, type } of [
  {
    name: "a server that refuses an argument has not failed",
    kind: "server",
    error: new ServiceError("invalid_argument", "x"),
    status: 0,
    type: "invalid_argument",
  },
  {
    name: "a client whose argument is refused has failed",
    kind: "client",
    error: new ServiceError("invalid_argument", "x"),
    status: 2,
    type: "invalid_argument",
  },
  {
    name: "a server that cannot reach a dependency has failed",
    kind: "server",
    error: new ServiceError("unavailable", "x"),
    status: 2,
    type: "unavailable",
  },
  {
    name: "an error without a code is a failure by its type",
    kind: "server",
    error: new RangeError("x"),
    status: 2,
    type: "RangeError",
  },
  {
    name: "a cancellation is no failure",
    kind: "client",
    error: new DOMException("x", "AbortError"),
    status: 0,
    type: "cancelled",
  },
  {
    name: "a timeout is a failure",
    kind: "server",
    error: new DOMException("x", "TimeoutError"),
    status: 2,
    type: "deadline_exceeded",
  },
] as const) {
  test(name, async () => {
    const received = await traced(({ tracer }) =>
      assert.throws(() =>
        tracer.span("s", { kind }, () => {
          throw error;
        }),
      ),
    );
    assert.equal(received.span("s").status, status);
    assert.equal(received.span("s").attributes["error.type"], type);
  });
}

test("the password in the URL of an error is not in the span", async () => {
  const received = await traced(({ tracer }) =>
    tracer.span("s", {}, (span) => span.fail(new Error("connect postgres://u:hunter2@db refused"))),
  );
  assert.doesNotMatch(JSON.stringify(received.spans), /hunter2/);
});

test("a root with links is sampled if one of the linked traces is, and other roots by the ratio", async () => {
  const kept = remote;
  const left = { traceparent: `${remote.traceparent.slice(0, -2)}00` };
  const all = await traced(({ tracer }) => tracer.span("unkept batch", { links: [left, left] }, () => {}));
  assert.equal(all.spans.length, 0);
  const none = await traced(
    ({ tracer }) => {
      tracer.span("kept batch", { links: [left, kept] }, () => tracer.span("its insert", {}, () => {}));
      tracer.span("chance", {}, () => {});
    },
    { sampleRatio: 0 },
  );
  assert.deepEqual(none.spans.map(({ name }) => name).toSorted(), ["its insert", "kept batch"]);
});

test("a stranger's trace context is linked to, and decides neither the trace nor its sampling", async () => {
  const stranger = { ...remote, tracestate: "evil=1" };
  const work = ({ tracer }: ReturnType<typeof start>) =>
    tracer.span("poll", {}, () =>
      tracer.span("request", { kind: "server", stranger }, () => {
        const headers = tracer.carrier();
        assert.deepEqual(Object.keys(headers), ["traceparent"]);
        assert.doesNotMatch(headers["traceparent"] ?? "", /0af7651916cd43dd8448eb211c80319c/);
      }),
    );
  const none = await traced(work, { sampleRatio: 0 });
  assert.deepEqual(none.spans, []);
  const unsampled = { traceparent: remote.traceparent.replace(/01$/, "00") };
  const all = await traced((telemetry) => {
    work(telemetry);
    telemetry.tracer.span("unsampled there", { stranger: unsampled }, () => {});
    telemetry.tracer.span("no context", { stranger: {} }, () => {});
    telemetry.tracer.span("no valid context", { stranger: { traceparent: "nonsense" } }, () => {});
    telemetry.tracer.span(
      "two",
      { stranger: { traceparent: `${remote.traceparent}, ${remote.traceparent}` } },
      () => {},
    );
  });
  const ids = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
  assert.deepEqual(all.span("request").links, [ids]);
  assert.deepEqual(all.span("unsampled there").links, [ids]);
  for (const name of ["no context", "no valid context", "two"]) assert.deepEqual(all.span(name).links, [], name);
  assert.notEqual(all.span("request").traceId, all.span("poll").traceId);
  assert.equal(new Set(all.spans.map(({ traceId }) => traceId)).size, all.spans.length);
});

test("long attributes are cut, and links beyond 128 are left out", async () => {
  const received = await traced(({ tracer }) =>
    tracer.span(
      "s",
      { attributes: { long: "x".repeat(10_000) }, links: Array.from({ length: 1_000 }, () => remote) },
      () => {},
    ),
  );
  assert.equal(received.span("s").attributes["long"]?.length, 2_048);
  assert.equal(received.span("s").links.length, 128);
});

test("links beyond 128 are not read", async () => {
  let reads = 0;
  const link = Object.defineProperty({}, "traceparent", { enumerable: true, get: () => void reads++ });
  await traced(({ tracer }) => tracer.span("s", { links: Array.from({ length: 1_000 }, () => link) }, () => {}));
  assert.ok(reads > 0 && reads <= 256, `${reads} reads`);
});

test("a started span is not active, is ended by its creator, and has a carrier", async () => {
  const received = await traced(({ tracer }) =>
    tracer.span("outer", {}, (outer) => {
      const span = tracer.start("call", { kind: "client", attributes: { peer: "x", none: undefined } });
      assert.equal(tracer.current()?.spanId, outer.spanId);
      assert.equal(span.carrier()["traceparent"], `00-${span.traceId}-${span.spanId}-01`);
      span.fail(new Error("no answer"));
      span.end();
    }),
  );
  const { parentSpanId, statusMessage, attributes } = received.span("call");
  assert.equal(parentSpanId, received.span("outer").spanId);
  assert.equal(statusMessage, "no answer");
  assert.deepEqual(Object.keys(attributes).toSorted(), ["error.type", "peer"]);
});

test("without an endpoint there are trace ids in logs and headers, and nothing is sent", async () => {
  const { tracer, logger, out } = start();
  tracer.span("outer", {}, (outer) => {
    tracer.span("inner", {}, (inner) => {
      logger.info("m");
      assert.equal(inner.traceId, outer.traceId);
      assert.notEqual(inner.spanId, outer.spanId);
      assert.equal(tracer.carrier()["traceparent"], `00-${inner.traceId}-${inner.spanId}-00`);
      assert.equal(out.last["trace_id"], inner.traceId);
      assert.equal(out.last["span_id"], inner.spanId);
      assert.deepEqual(tracer.current(), { traceId: inner.traceId, spanId: inner.spanId });
    });
  });
  logger.info("m");
  assert.equal(out.last["trace_id"], undefined);
  assert.deepEqual(tracer.carrier(), {});
});

test("a service without an exporter passes the sampling decision of its parent on", () => {
  const { tracer } = start();
  for (const flags of ["00", "01"]) {
    const parent = { traceparent: remote.traceparent.replace(/01$/, flags) };
    const headers = tracer.span("s", { parent }, () => tracer.carrier());
    assert.match(
      headers["traceparent"] ?? "",
      new RegExp(`^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-${flags}$`),
    );
  }
});

test("the given ratio of new traces is sent, and a parent's decision overrides it", async () => {
  const received = await traced(
    ({ tracer }) => {
      const headers = tracer.span("new", {}, () => tracer.carrier());
      assert.match(headers["traceparent"] ?? "", /-00$/, "the header is there, not sampled");
      tracer.span("sampled before", { parent: remote }, () => tracer.span("below", {}, () => {}));
    },
    { sampleRatio: 0 },
  );
  assert.deepEqual(received.spans.map((span) => span.name).sort(), ["below", "sampled before"]);

  const all = await traced(({ tracer }) => {
    tracer.span("not sampled before", { parent: { traceparent: remote.traceparent.replace(/01$/, "00") } }, () => {});
    tracer.span("new", {}, () => {});
  });
  assert.deepEqual(
    all.spans.map((span) => span.name),
    ["new"],
  );
});

test("a collector that is down costs spans and one warning a minute, not the service", async () => {
  const received = await collector(() => 400);
  await using _ = received;
  const telemetry = start({ otlpEndpoint: received.url });
  for (let i = 0; i < 600; i++) telemetry.tracer.span("s", {}, () => {});
  await telemetry[Symbol.asyncDispose]();
  const warnings = telemetry.out.lines.filter((line) => line["level"] === "warn");
  assert.equal(warnings.length, 1);
  assert.match(String(warnings[0]?.["message"]), /spans were lost/);
  assert.match((await telemetry.metrics.text()).body, /telemetry_exported_spans_total\{outcome="lost"\} 600/);
});

test("disposing waits for the collector, but not longer than flushMs", async () => {
  const received = await collector(() => new Promise(() => {}));
  await using _ = received;
  const telemetry = start({ otlpEndpoint: received.url, flushMs: 200 });
  telemetry.tracer.span("s", {}, () => {});
  const started = performance.now();
  await telemetry[Symbol.asyncDispose]();
  assert.ok(performance.now() - started < 1_500);
  assert.match(String(telemetry.out.last["message"]), /spans were lost: the collector was too slow/);
});

for (const base of ["", "/", "/v1/traces"]) {
  test(`spans for an endpoint that ends in "${base}" go to /v1/traces`, async () => {
    const received = await collector();
    await using _ = received;
    const telemetry = start({ otlpEndpoint: received.url + base });
    telemetry.tracer.span("s", {}, () => {});
    await telemetry[Symbol.asyncDispose]();
    assert.deepEqual(
      received.requests.map(({ path }) => path),
      ["/v1/traces"],
    );
  });
}
