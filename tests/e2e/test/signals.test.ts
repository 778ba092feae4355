import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { call, eventually, post, readEvents } from "../src/http.ts";
import { metricsOf } from "../src/otlp/metrics-text.ts";
import { root } from "../src/stack.ts";
import { embeddedTier, givenTier, services, type Tier } from "../src/tier.ts";

const page = readFileSync(join(root, "docs/telemetry.md"), "utf8");

/** Returns the rows of the table under a heading of docs/telemetry.md, cell by cell. */
function rows(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const words = (cell = "") =>
  cell
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
const code = (cell = "") => cell.replaceAll("`", "");

let tier: Tier;
before(async () => {
  tier = await (givenTier() ?? (() => embeddedTier("source")))();
  // Produces every signal once.
  await call(`${tier.base}/v1/greetings/World`);
  const placed = await post(`${tier.base}/v1/orders`, { customerId: "signals", items: [{ sku: "tea", quantity: 1 }] });
  const url = `${tier.base}/v1/orders/${placed.json["id"]}`;
  await readEvents(`${url}:watch`);
  await call(`${url}/label`);
});
after(() => tier?.[Symbol.asyncDispose]());

test("every span is on the page, and every span of the page is seen from each of its services", async () => {
  const documented = rows("Spans").map(([name, kind, of]) => ({
    pattern: new RegExp(`^${RegExp.escape(code(name)).replaceAll(/\\x3c.*?\\x3e|<.*?>/g, "\\S+")}$`),
    name: code(name),
    kind: kind ?? "",
    services: words(of).map((service) => service.replace("?", "")),
    // A question mark: only if messages happen to come at the same time.
    isCertain: !of?.includes("?"),
  }));
  const rowOf = (span: { name: string; kind: string; service: string }) =>
    documented.find(
      (row) => row.kind === span.kind && row.services.includes(span.service) && row.pattern.test(span.name),
    );
  const expected = documented
    .filter(({ isCertain }) => isCertain)
    .flatMap((row) => row.services.map((service) => `${service} ${row.kind} ${row.name}`))
    .toSorted();
  const seen = () => {
    const spans = tier.receiver.spans.filter((span) => rowOf(span)?.isCertain !== false);
    const names = spans.map(
      (span) => `${span.service} ${span.kind} ${rowOf(span)?.name ?? `undocumented ${span.name}`}`,
    );
    return [...new Set(names)].toSorted();
  };
  await eventually(
    async () => seen(),
    (names) => names.length >= expected.length,
  ).catch(() => undefined);
  assert.deepEqual(seen(), expected);
  for (const span of tier.receiver.spans) assert.ok(services.some((name) => name === span.resource["service.name"]));
});

for (const service of services) {
  test(`${service} has exactly the metrics of the page, with their types and labels`, async () => {
    const found = metricsOf((await call(`${tier.ops[service]}/metrics`)).text);
    const documented = rows("Metrics").filter(([, , , of]) => words(code(of).replaceAll("?", "")).includes(service));
    const patterns = documented.map(([name]) => code(name)).filter((name) => name.endsWith("*"));
    const own = [...found.keys()].filter((name) => !patterns.some((pattern) => name.startsWith(pattern.slice(0, -1))));
    // A question mark: only with a setting.
    const named = documented.filter(
      ([name, , , of]) => !code(name).endsWith("*") && (words(of).includes(service) || found.has(code(name))),
    );
    assert.deepEqual(own.toSorted(), named.map(([name]) => code(name)).toSorted());
    for (const [name = "", type, labels] of named) {
      const metric = found.get(code(name));
      assert.equal(metric?.type, type, name);
      const unknown = [...(metric?.labels ?? [])].filter((label) => !words(labels).includes(label));
      assert.deepEqual(unknown, [], `labels of ${name} that the page does not have`);
    }
  });
}

test("every service exports its log lines by OTLP, with the ids of their span", async () => {
  const senders = () => new Set(tier.receiver.logs.map(({ service }) => service));
  await eventually(
    async () => senders().size,
    (size) => size === services.length,
  );
  // Each service sends batches of its own, so lines of another service prove nothing for this one.
  const handled = await eventually(
    async () => tier.receiver.logs.find(({ service, body }) => service === "worker" && body === "message handled"),
    (line) => line !== undefined,
  );
  assert.equal(handled?.severity, "info");
  assert.equal(handled?.attributes["topic"], "orders.events");
  const span = tier.receiver.spans.find(({ spanId }) => spanId === handled?.spanId);
  assert.equal(span?.name, "process orders.events");
  assert.equal(span?.traceId, handled?.traceId);
});

test("every log line has the fields of the page", (t) => {
  if (tier.lines === undefined) return t.skip("NOT RUN: reads the services' standard output: unset E2E_BASE_URL");
  const always = ["time", "level", "service", "message"];
  const fields = new Set(rows("Logs").flatMap(([names]) => words(code(names))));
  for (const name of [...always, "trace_id", "span_id"]) assert.ok(fields.has(name), `${name} is on the page`);
  const lines = tier.lines.filter(
    ({ name, line }) => services.some((service) => service === name) && line.startsWith("{"),
  );
  assert.ok(lines.length > 0);
  for (const { name, line } of lines) {
    const record = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(Object.keys(record).slice(0, 4), always, line);
    assert.equal(record["service"], name);
  }
});
