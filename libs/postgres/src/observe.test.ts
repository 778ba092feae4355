import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf } from "@plumbline/errors";
import { type Attributes, noTelemetry, type Telemetry } from "@plumbline/telemetry";
import { open } from "../test/support.ts";
import { verbOf } from "./observe.ts";

interface Recorded {
  readonly spans: { name: string; attributes: Attributes; failed?: string }[];
  readonly durations: Record<string, string | number>[];
  readonly gauges: Map<string, () => number | Promise<number>>;
}

/** Telemetry that records spans and metrics. */
function recorder({ within = true } = {}): { telemetry: Telemetry; recorded: Recorded } {
  const recorded: Recorded = { spans: [], durations: [], gauges: new Map() };
  const telemetry: Telemetry = {
    ...noTelemetry,
    tracer: {
      ...noTelemetry.tracer,
      current: () => (within ? { traceId: "1", spanId: "2" } : undefined),
      span: (name, options, work) =>
        noTelemetry.tracer.span(name, options, (span) => {
          const attributes: Record<string, Attributes[string]> = {
            ...(typeof options.attributes === "function" ? options.attributes() : options.attributes),
          };
          recorded.spans.push({ name, attributes });
          return work({ ...span, setAttribute: (key, value) => void (attributes[key] = value) });
        }),
    },
    metrics: {
      ...noTelemetry.metrics,
      histogram: () => ({ observe: (labels) => void recorded.durations.push(labels) }),
      gauge: (name) => ({
        ...noTelemetry.metrics.gauge("", "", []),
        observe: (read, labels) => {
          const key = [name, ...Object.values(labels ?? {}).slice(1)].join(" ");
          recorded.gauges.set(key, read);
          return { [Symbol.dispose]: () => void recorded.gauges.delete(key) };
        },
      }),
    },
  };
  return { telemetry, recorded };
}

test("each statement has a client span and a duration, with its name or verb and its outcome", async () => {
  const { telemetry, recorded } = recorder();
  const place = await open({}, telemetry);
  const { database } = place;
  await database.query("SELECT 1 AS n", [], { name: "one" });
  await database.query("-- why\n  select 2 AS n").catch(codeOf);
  await database.query("SELECT 1/0").catch(codeOf);
  await database.query("SELECT 3", [], { signal: AbortSignal.abort() }).catch(codeOf);
  await database.transaction(async (tx) => await tx.query("SELECT 4", [], { name: "four" }));
  assert.deepEqual(
    recorded.durations.map(({ operation, code }) => `${operation} ${code}`),
    ["one ok", "SELECT ok", "SELECT internal", "SELECT cancelled", "four ok", "COMMIT ok"],
  );
  assert.deepEqual(recorded.spans.map((span) => span.name).slice(0, 2), ["postgres one", "postgres SELECT"]);
  assert.equal(recorded.spans[0]?.attributes["db.system.name"], "postgresql");
  assert.equal(recorded.spans[0]?.attributes["db.query.text"], "SELECT 1 AS n");
  assert.equal(recorded.spans[2]?.attributes["db.response.status_code"], "22012");
  await place[Symbol.asyncDispose]();
});

test("a statement outside any trace is timed and has no span", async () => {
  const { telemetry, recorded } = recorder({ within: false });
  await using place = await open({}, telemetry);
  await place.database.query("SELECT 1", [], { name: "poll" });
  assert.deepEqual(
    recorded.durations.map(({ operation, code }) => `${operation} ${code}`),
    ["poll ok"],
  );
  assert.deepEqual(recorded.spans, []);
});

test("the gauges of the pool count used and idle connections and waiting callers, until it is closed", async () => {
  const { telemetry, recorded } = recorder();
  const place = await open({ poolSize: 1 }, telemetry);
  const read = async (key: string): Promise<number | undefined> => await recorded.gauges.get(key)?.();
  const busy = [place.database.query("SELECT pg_sleep(0.1)"), place.database.query("SELECT 1")];
  assert.equal(await read("db_client_connections used"), 1);
  assert.equal(await read("db_client_connection_pending_requests"), 1);
  await Promise.all(busy);
  assert.equal(await read("db_client_connections used"), 0);
  assert.equal(await read("db_client_connections idle"), 1);
  await place[Symbol.asyncDispose]();
  assert.equal(recorded.gauges.size, 0);
});

for (const { sql, want } of [
  { sql: "  select 1", want: "SELECT" },
  { sql: "-- a\n\t-- b\nINSERT INTO t", want: "INSERT" },
  { sql: "(SELECT 1)", want: "QUERY" },
  { sql: "", want: "QUERY" },
]) {
  test(`the verb of ${JSON.stringify(sql)} is ${want}`, () => assert.equal(verbOf(sql), want));
}
