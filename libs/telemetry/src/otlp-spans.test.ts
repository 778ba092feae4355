import assert from "node:assert/strict";
import test from "node:test";
import { type Link, type SpanContext, SpanKind, type SpanStatus, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import * as fc from "fast-check";
import { collector } from "../test/collector.ts";
import { ExportTraceServiceRequest } from "../test/gen/opentelemetry/proto/collector/trace/v1/trace_service.ts";
import { Memory } from "../test/memory.ts";
import { OtlpSpans } from "./otlp-spans.ts";
import { type EndedSpan, type FlatAttributes, RecordedSpan, type SpanEvent } from "./recorded-span.ts";
import { startTelemetry } from "./start-telemetry.ts";

const ids: SpanContext = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  traceFlags: TraceFlags.SAMPLED,
};
const plain: EndedSpan = {
  name: "s",
  kind: SpanKind.INTERNAL,
  ids,
  parent: undefined,
  startedAt: 1_700_000_000_000,
  endedAt: 1_700_000_000_001,
  attributes: [],
  droppedAttributes: 0,
  events: [],
  droppedEvents: 0,
  links: [],
  status: { code: SpanStatusCode.UNSET },
};

function parts(options: { readonly signal?: AbortSignal; readonly endpoint: string }) {
  const out = new Memory();
  const { logger, metrics } = startTelemetry({ service: "orders", destination: out });
  const { signal = new AbortController().signal, endpoint } = options;
  const spans = new OtlpSpans({ endpoint, service: "orders", version: "1.2.3", logger, metrics, signal });
  const counts = async () => {
    const { body } = await metrics.text();
    const of = (outcome: string) =>
      Number(new RegExp(`telemetry_exported_spans_total\\{outcome="${outcome}"\\} (\\d+)`).exec(body)?.[1] ?? 0);
    return { sent: of("sent"), lost: of("lost") };
  };
  return { out, spans, counts };
}

/** Returns the body that OpenTelemetry's own serializer makes of the span. */
function byOpenTelemetry(span: EndedSpan): Uint8Array {
  const time = (ms: number): [number, number] => {
    const whole = Math.floor(ms);
    return [Math.floor(whole / 1_000), (whole % 1_000) * 1e6 + Math.floor((ms - whole) * 1e6)];
  };
  const attributes = (flat: FlatAttributes) => {
    const result: Record<string, unknown> = Object.create(null);
    for (let at = 0; at < flat.length; at += 2) result[flat[at] as string] = flat[at + 1];
    return result;
  };
  const readable = {
    name: span.name,
    kind: span.kind,
    spanContext: () => span.ids,
    ...(span.parent && { parentSpanContext: span.parent }),
    startTime: time(span.startedAt),
    endTime: time(span.endedAt),
    duration: [0, 0] as [number, number],
    ended: true,
    status: span.status,
    attributes: attributes(span.attributes),
    droppedAttributesCount: span.droppedAttributes,
    events: span.events.map((event) => ({
      name: event.name,
      time: time(event.at),
      attributes: attributes(event.attributes),
      droppedAttributesCount: event.droppedAttributes,
    })),
    droppedEventsCount: span.droppedEvents,
    links: [...span.links],
    droppedLinksCount: 0,
    resource: resourceFromAttributes({ "service.name": "orders", "service.version": "1.2.3" }),
    instrumentationScope: { name: "plumbline" },
  };
  return ProtobufTraceSerializer.serializeRequest([readable]) ?? new Uint8Array();
}

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "GET /v1/orders/{id}", "é", "😀", "\ud800", "a\udc00b"),
  fc.constantFrom(42, 43, 126, 127, 128, 129, 2_048).map((length) => "x".repeat(length)),
  fc.nat({ max: 700 }).map((length) => "é".repeat(length)),
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  text,
  fc.boolean(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(0, -1, 127, 128, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 62), 2 ** 63, 1e300),
  fc.array(text, { maxLength: 4 }),
  fc.array(fc.integer(), { maxLength: 4 }),
);
const attributes = fc
  .uniqueArray(fc.tuple(text, value), { maxLength: 6, selector: ([key]) => key })
  // OpenTelemetry's serializer takes an object, which orders numbers before other keys.
  .map((pairs) => pairs.filter(([key]) => !/^\d+$/.test(key)).flat());
const time = fc.tuple(fc.nat({ max: 2 ** 41 }), fc.nat({ max: 4_095 })).map(([ms, part]) => ms + part / 4_096);
const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...Array.from({ length: 16 }, (_, digit) => digit.toString(16))), {
      minLength: length,
      maxLength: length,
    })
    .map((all) => all.join(""));
const context: fc.Arbitrary<SpanContext> = fc.record(
  { traceId: hex(32), spanId: hex(16), traceFlags: fc.constantFrom(0, 1), isRemote: fc.boolean() },
  { requiredKeys: ["traceId", "spanId", "traceFlags"] },
);
const span: fc.Arbitrary<EndedSpan> = fc.record({
  name: text,
  kind: fc.constantFrom(SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER),
  ids: context,
  parent: fc.option(context, { nil: undefined }),
  startedAt: time,
  endedAt: time,
  attributes,
  droppedAttributes: fc.nat(),
  events: fc.array(
    fc.record<SpanEvent>({ name: text, at: time, attributes, droppedAttributes: fc.nat({ max: 300 }) }),
    { maxLength: 3 },
  ),
  droppedEvents: fc.nat(),
  links: fc.array(fc.record<Link>({ context }), { maxLength: 3 }),
  status: fc.oneof(
    fc.constantFrom<SpanStatus>({ code: SpanStatusCode.UNSET }, { code: SpanStatusCode.OK }),
    text.map((message): SpanStatus => ({ code: SpanStatusCode.ERROR, message })),
  ),
});

/** Decodes a body. A status that says nothing is the same as none. */
function decoded(body: Uint8Array | undefined): ExportTraceServiceRequest {
  const request = ExportTraceServiceRequest.decode(new Uint8Array(body ?? []));
  for (const one of request.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans).flatMap(({ spans }) => spans)) {
    one.status ??= { code: SpanStatusCode.UNSET, message: "" };
  }
  return request;
}

test("a collector reads from a span what it reads from OpenTelemetry's own serializer", async () => {
  await using received = await collector();
  const { spans } = parts({ endpoint: received.url });
  await fc.assert(
    fc.asyncProperty(span, async (one) => {
      spans.add(one);
      await spans.shutdown();
      assert.deepEqual(decoded(received.bodies.pop()), decoded(byOpenTelemetry(one)));
    }),
    { numRuns: 200 },
  );
});

test("512 spans are sent at once, further ones a second later", async () => {
  await using received = await collector();
  const { spans, counts } = parts({ endpoint: received.url });
  for (let i = 0; i < 600; i++) spans.add({ ...plain, name: `${i}` });
  while (received.spans.length < 600) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(received.requests.length, 2);
  assert.deepEqual(
    received.spans.map(({ name }) => name),
    Array.from({ length: 600 }, (_, i) => `${i}`),
  );
  await spans.shutdown();
  assert.deepEqual(await counts(), { sent: 600, lost: 0 });
});

test("batches follow each other on one connection, also after a collector that is busy", async () => {
  const statuses = [200, 503];
  await using received = await collector(() => statuses.shift() ?? 200);
  const { spans, counts } = parts({ endpoint: received.url });
  for (let i = 0; i < 3 * 512; i++) spans.add({ ...plain, name: `${i}` });
  await spans.shutdown();
  assert.deepEqual(await counts(), { sent: 1_536, lost: 0 });
  assert.deepEqual([received.requests.length, received.connections], [4, 1]);
});

test("2,048 spans wait for a collector that does not answer, further ones are lost and counted", async () => {
  const answered = Promise.withResolvers<number>();
  await using received = await collector(() => answered.promise);
  const { spans, counts, out } = parts({ endpoint: received.url });
  for (let i = 0; i < 512 + 2_048 + 100; i++) spans.add({ ...plain, name: `${i}` });
  assert.deepEqual(await counts(), { sent: 0, lost: 100 });
  answered.resolve(200);
  await spans.shutdown();
  assert.deepEqual(await counts(), { sent: 2_560, lost: 100 });
  assert.equal(received.spans.at(-1)?.name, "2559");
  const warnings = out.lines.filter(({ level }) => level === "warn");
  assert.equal(warnings.length, 1);
  assert.match(JSON.stringify(warnings[0]), /2048 spans wait/);
});

test("a batch of 4 MiB is sent before it has 512 spans, and a span larger than that is lost alone", async () => {
  await using received = await collector();
  const { spans, counts } = parts({ endpoint: received.url });
  const large = { ...plain, attributes: Array.from({ length: 256 }, (_, i) => (i % 2 ? "x".repeat(2_000) : `${i}`)) };
  const list = Array.from({ length: 3_000 }, () => "x".repeat(2_000));
  for (let i = 0; i < 20; i++) spans.add({ ...large, name: `${i}` });
  spans.add({ ...plain, name: "too large", attributes: ["list", list] });
  for (let i = 20; i < 40; i++) spans.add({ ...large, name: `${i}` });
  await spans.shutdown();
  assert.deepEqual(await counts(), { sent: 40, lost: 1 });
  assert.ok(received.requests.length > 2);
  assert.deepEqual(
    received.spans.map(({ name }) => name),
    Array.from({ length: 40 }, (_, i) => `${i}`),
  );
});

test("losses after the abort are counted without a warning", async () => {
  const late = new AbortController();
  const { spans, counts, out } = parts({ endpoint: "http://127.0.0.1:1", signal: late.signal });
  late.abort();
  spans.add(plain);
  await spans.shutdown();
  assert.deepEqual(await counts(), { sent: 0, lost: 1 });
  assert.deepEqual(out.lines, []);
});

test("a value that is no text, number, boolean or list of these arrives as JSON, cut", async () => {
  await using received = await collector();
  const { spans } = parts({ endpoint: received.url });
  const loop: Record<string, unknown> = { a: 1 };
  loop["self"] = loop;
  spans.add({ ...plain, attributes: ["object", loop, "null", null, "long", { text: "y".repeat(5_000) }] });
  await spans.shutdown();
  const { object, null: nothing, long } = received.span("s").attributes;
  assert.equal(object, '{"a":1,"self":"[circular]"}');
  assert.equal(nothing, "null");
  assert.equal(long?.length, 2_048);
});

/** Records a span, and returns it as its sink gets it, and how often. */
function recorded(work: (span: RecordedSpan) => void) {
  const ended: EndedSpan[] = [];
  work(
    new RecordedSpan({ add: (one) => ended.push(one) }, { name: "s", kind: SpanKind.INTERNAL, ids, parent: undefined }),
  );
  return ended;
}

test("a span keeps 128 attributes, the last 128 events and 128 links, and counts the others", () => {
  const [one] = recorded((span) => {
    for (let i = 0; i < 200; i++) {
      span.setAttribute(`a${i}`, i).addEvent(`e${i}`).addLink({ context: ids });
    }
    span.setAttribute("a0", "again");
    span.addEvent("wide", Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`k${i}`, i])));
    span.end();
  });
  assert.equal(one?.attributes.length, 256);
  assert.equal(one?.attributes[1], "again");
  assert.equal(one?.droppedAttributes, 72);
  assert.equal(one?.events.length, 128);
  assert.equal(one?.events[0]?.name, "e73");
  assert.equal(one?.droppedEvents, 73);
  assert.equal(one?.events.at(-1)?.droppedAttributes, 2);
  assert.equal(one?.links.length, 128);
});

test("a span ends once, and what is set after its end is ignored", () => {
  const list = ["a"];
  const ended = recorded((span) => {
    span.setAttributes({ list, left: undefined });
    list.push("b");
    span.setStatus({ code: SpanStatusCode.ERROR, message: "broken" }).setStatus({ code: SpanStatusCode.UNSET });
    span.end();
    assert.equal(span.isRecording(), false);
    span.setAttribute("late", 1).addEvent("late").addLink({ context: ids }).updateName("late");
    span.setStatus({ code: SpanStatusCode.OK }).recordException("late");
    span.end();
  });
  assert.equal(ended.length, 1);
  const [one] = ended;
  assert.deepEqual(one?.attributes, ["list", ["a"]]);
  assert.deepEqual([one?.name, one?.events, one?.links], ["s", [], []]);
  assert.deepEqual(one?.status, { code: SpanStatusCode.ERROR, message: "broken" });
});

test("times of a span are those given, or now, and it never ends before it started", () => {
  const [given] = recorded((span) => {
    span.addEvent("e", new Date(5)).addEvent("f", { a: 1 }, [1, 5_000_000]);
    span.end(new Date(1));
  });
  assert.deepEqual(
    given?.events.map(({ at, attributes: own }) => [at, own]),
    [
      [5, []],
      [1_005, ["a", 1]],
    ],
  );
  assert.equal(given?.endedAt, given?.startedAt);
  const before = Date.now();
  const [now] = recorded((span) => span.addEvent("e").end());
  const [startedAt = 0, at = 0, endedAt = 0] = [now?.startedAt, now?.events[0]?.at, now?.endedAt];
  assert.ok(before <= startedAt && startedAt <= at && at <= endedAt && endedAt <= Date.now() + 1);
});
