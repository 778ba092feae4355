import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate } from "node:timers/promises";
import { context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { enableContext } from "./active-context.ts";
import { PromMetrics } from "./prom-metrics.ts";

function open() {
  const warnings: string[] = [];
  const metrics = new PromMetrics({
    service: "orders",
    version: "1",
    warn: (message, { metric }) => warnings.push(`${String(metric)}: ${message}`),
  });
  const lines = async (name: string) => (await metrics.text()).body.split("\n").filter((line) => line.startsWith(name));
  return { metrics, warnings, lines };
}

test("a counter counts by its labels", async () => {
  const { metrics, lines } = open();
  const counter = metrics.counter("http_requests_total", "Requests.", ["method", "code"]);
  counter.inc({ method: "GET", code: 200 });
  counter.inc({ method: "GET", code: 200 }, 2);
  counter.inc({ method: "POST", code: "500" });
  assert.deepEqual(await lines("http_requests_total"), [
    'http_requests_total{method="GET",code="200"} 3',
    'http_requests_total{method="POST",code="500"} 1',
  ]);
});

test("a histogram has OpenTelemetry's buckets for seconds, or those it is given", async () => {
  const { metrics, lines } = open();
  metrics.histogram("a_seconds", "A.", ["code"]).observe({ code: "ok" }, 0.003);
  metrics.histogram("b_bytes", "B.", [], [10, 100]).observe({}, 50);
  assert.equal((await lines("a_seconds_bucket")).length, 15);
  assert.deepEqual(await lines("b_bytes_bucket"), [
    'b_bytes_bucket{le="10"} 0',
    'b_bytes_bucket{le="100"} 1',
    'b_bytes_bucket{le="+Inf"} 1',
  ]);
});

test("a gauge is incremented, decremented and set", async () => {
  const { metrics, lines } = open();
  const gauge = metrics.gauge("in_flight", "Now.", []);
  gauge.inc({});
  gauge.inc({}, 4);
  gauge.dec({});
  assert.deepEqual(await lines("in_flight"), ["in_flight 4"]);
  gauge.set({}, 7);
  assert.deepEqual(await lines("in_flight"), ["in_flight 7"]);
});

test("a gauge is read at each scrape, readers of the same labels are summed, and they can be removed", async () => {
  const { metrics, lines } = open();
  const gauge = metrics.gauge("pool_in_use", "Connections.", ["pool"]);
  let used = 1;
  gauge.observe(() => used, { pool: "orders" });
  const second = gauge.observe(async () => 10, { pool: "orders" });
  gauge.observe(() => 5, { pool: "messaging" });
  assert.deepEqual(await lines("pool_in_use"), ['pool_in_use{pool="orders"} 11', 'pool_in_use{pool="messaging"} 5']);
  used = 2;
  second[Symbol.dispose]();
  assert.deepEqual((await lines("pool_in_use")).sort(), [
    'pool_in_use{pool="messaging"} 5',
    'pool_in_use{pool="orders"} 2',
  ]);
});

test("a reader that fails or hangs is left out of the scrape, with one warning", async () => {
  const { metrics, lines, warnings } = open();
  const gauge = metrics.gauge("lag", "Lag.", ["topic"]);
  let broken = false;
  gauge.observe(
    () => {
      if (broken) throw new Error("no connection");
      return 3;
    },
    { topic: "a" },
  );
  gauge.observe(() => new Promise(() => {}), { topic: "b" });
  gauge.observe(() => Number.NaN, { topic: "c" });
  assert.deepEqual(await lines("lag"), ['lag{topic="a"} 3']);
  broken = true;
  assert.deepEqual(await lines("lag"), [], "an old value must not look fresh");
  assert.deepEqual(warnings, ["lag: a gauge could not be read"]);
});

test("beyond a thousand series new label sets count as other, with one warning", async () => {
  const { metrics, lines, warnings } = open();
  const counter = metrics.counter("orders_total", "Orders.", ["customer", "code"]);
  for (let id = 0; id < 5_000; id++) counter.inc({ customer: `c-${id}`, code: "ok" });
  counter.inc({ customer: "c-1", code: "ok" });
  const series = await lines("orders_total");
  assert.equal(series.length, 1_001);
  assert.ok(series.includes('orders_total{customer="other",code="other"} 4000'));
  assert.ok(series.includes('orders_total{customer="c-1",code="ok"} 2'), "known sets count on");
  assert.deepEqual(warnings, ["orders_total: a metric has too many series: new ones count as other"]);
});

test("label sets that look alike when joined are counted separately", async () => {
  const { metrics, lines } = open();
  const counter = metrics.counter("a_total", "A.", ["x", "y", "z"]);
  for (let x = 0; x < 50; x++) {
    for (let y = 0; y < 50; y++) counter.inc({ x: "1".repeat(x), y: "1".repeat(y), z: "1".repeat(100 - x - y) });
  }
  assert.equal((await lines("a_total")).length, 1_001);
});

test("label values are cut at 128 characters, and unknown names are ignored", async () => {
  const { metrics, lines } = open();
  const counter = metrics.counter("a_total", "A.", ["x"]);
  counter.inc({ x: "x".repeat(10_000), y: "1" } as { x: string });
  counter.inc({} as { x: string });
  assert.deepEqual(await lines("a_total"), [`a_total{x="${"x".repeat(128)}"} 1`, 'a_total{x=""} 1']);
});

test("any two different label sets are counted separately", async () => {
  const { metrics, lines } = open();
  const counter = metrics.counter("a_total", "A.", ["x", "y"]);
  for (const [x, y] of [
    ["a", "b"],
    ["ab", ""],
    ["", "ab"],
    ['a",y="b', ""],
    ["1:a", "b"],
  ] as const)
    counter.inc({ x, y });
  assert.equal((await lines("a_total")).length, 5);
});

test("the same name is the same metric, and another kind or other labels throw", async () => {
  const { metrics, lines } = open();
  metrics.counter("a_total", "A.", ["x"]).inc({ x: 1 });
  metrics.counter("a_total", "A.", ["x"]).inc({ x: 1 });
  assert.deepEqual(await lines("a_total"), ['a_total{x="1"} 2']);
  assert.throws(() => metrics.gauge("a_total", "A.", ["x"]), /a_total is already a counter with the labels \[x\]/);
  assert.throws(() => metrics.counter("a_total", "A.", ["y"]), /already/);
});

test("invalid numbers are ignored instead of thrown", async () => {
  const { metrics, lines } = open();
  const counter = metrics.counter("a_total", "A.", []);
  counter.inc({}, -1);
  counter.inc({}, Number.NaN);
  metrics.histogram("b_seconds", "B.", []).observe({}, Number.NaN);
  metrics.gauge("c", "C.", []).set({}, Number.POSITIVE_INFINITY);
  assert.deepEqual(await lines("b_seconds_count"), ["b_seconds_count 0"]);
  assert.deepEqual(await lines("a_total"), ["a_total 0"]);
});

test("two services in one process have separate metrics, and both show those of the process", async () => {
  const [a, b] = [open(), open()];
  a.metrics.counter("a_total", "A.", []).inc({});
  assert.deepEqual(await b.lines("a_total"), []);
  for (const { lines } of [a, b]) {
    for (const name of [
      "nodejs_eventloop_lag_p99_seconds",
      "process_resident_memory_bytes",
      "nodejs_eventloop_utilization_ratio",
      "v8js_gc_duration_seconds",
    ]) {
      assert.ok((await lines(name)).length > 0, name);
    }
  }
});

test("the event loop's lag is 0 where nothing was measured since the last scrape", async () => {
  const { metrics } = open();
  const [first, second] = [await metrics.text(), await metrics.text()];
  const values = [...second.body.matchAll(/^nodejs_eventloop_lag_(\w+)_seconds (\S+)$/gm)];
  assert.ok(values.length >= 7, first.body);
  for (const [line, , value] of values) assert.ok(Number(value) < 3_600, line);
});

test("a gauge has no name that Prometheus keeps for parts of a histogram", () => {
  const { metrics } = open();
  for (const name of ["connection_count", "wait_sum", "wait_bucket", "calls_total"]) {
    assert.throws(() => metrics.gauge(name, "A.", []), /a gauge's name must not end with/, name);
  }
  assert.throws(() => metrics.counter("calls", "A.", []), /a counter's name must end with _total/);
  assert.throws(() => metrics.histogram("wait_count", "A.", []), /a histogram's name must not end with/);
});

test("a value observed in a sampled span has its ids as an exemplar, in OpenMetrics only", async () => {
  const { metrics } = open();
  const [histogram, counter] = [metrics.histogram("a_seconds", "A.", ["code"]), metrics.counter("b_total", "B.", [])];
  const ids = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
  const within = (traceFlags: number, value: number) =>
    context.with(trace.setSpanContext(ROOT_CONTEXT, { ...ids, traceFlags }), () =>
      histogram.observe({ code: "ok" }, value),
    );
  enableContext();
  within(1, 0.02);
  within(0, 3);
  within(1, 60);
  histogram.observe({ code: "ok" }, 0.3);
  counter.inc({});

  const { contentType, body } = await metrics.text({ openMetrics: true });
  assert.match(contentType, /^application\/openmetrics-text; version=1\.0\.0/);
  const exemplars = body.split("\n").filter((line) => line.includes(" # "));
  assert.deepEqual(
    exemplars.map((line) => line.replace(/ [\d.]+$/, "")),
    [
      `a_seconds_bucket{le="0.025",code="ok"} 1 # {trace_id="${ids.traceId}",span_id="${ids.spanId}"} 0.02`,
      `a_seconds_bucket{le="+Inf",code="ok"} 4 # {trace_id="${ids.traceId}",span_id="${ids.spanId}"} 60`,
    ],
  );
  assert.match(body, /^# TYPE b counter\nb_total 1$/m);
  assert.ok(body.endsWith("\n# EOF\n"));

  const plain = (await metrics.text()).body;
  assert.doesNotMatch(plain, / # |# EOF/);
  assert.match(plain, /^# TYPE b_total counter\nb_total 1$/m);
});

test("each garbage collection is counted by its type", async () => {
  const { lines } = open();
  await lines("v8js");
  const collected = async () =>
    Number((await lines('v8js_gc_duration_seconds_count{type="minor"}'))[0]?.split(" ").at(-1) ?? 0);
  const before = await collected();
  const limit = AbortSignal.timeout(10_000);
  let seen: unknown[] = [];
  while ((await collected()) < before + 3) {
    limit.throwIfAborted();
    seen = Array.from({ length: 200_000 }, (_, index) => ({ index }));
    await setImmediate();
  }
  assert.ok(seen.length > 0);
});

test("a scrape is Prometheus text with target_info and without duplicate names", async () => {
  const { metrics } = open();
  const { contentType, body } = await metrics.text();
  assert.equal(contentType, "text/plain; version=0.0.4; charset=utf-8");
  assert.match(body, /^target_info\{service_name="orders",service_version="1"\} 1$/m);
  const names = [...body.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]);
  assert.equal(new Set(names).size, names.length);
  assert.ok(body.endsWith("\n"));
});
