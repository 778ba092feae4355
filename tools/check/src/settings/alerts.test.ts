import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import test from "node:test";
import { env, file, loadConfig } from "@plumbline/config";
import { settingsPrefix } from "@plumbline/tools-stack";
import { parse } from "yaml";
import { composeServices, envFile } from "./compose.ts";
import { type KnownMetric, knownMetrics } from "./known-metrics.ts";
import { askedBy } from "./promql.ts";
import { findServices } from "./services.ts";

const root = resolve(import.meta.dirname, "../../../..");
const read = (path: string) => parse(readFileSync(join(root, path), "utf8"));

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

const alerts = (read("deploy/observability/alerts.yml") as { groups: { rules: Alert[] }[] }).groups.flatMap(
  ({ rules }) => rules,
);
const known = knownMetrics(readFileSync(join(root, "docs/telemetry.md"), "utf8"));
/** Metrics of Prometheus itself. */
const labelsOfAll = ["job", "instance"];

/**
 * Returns the problems of an expression: unknown metrics, and labels that none of its metrics has.
 */
function problemsOf(expression: string, known: readonly KnownMetric[]): readonly string[] {
  const { metrics, labels } = askedBy(expression);
  const found = metrics.filter((name) => name !== "up").map((name) => [name, metricOf(name, known)] as const);
  const allowed = new Set([...labelsOfAll, ...found.flatMap(([, metric]) => metric?.labels ?? [])]);
  if (found.some(([, metric]) => metric?.kind === "histogram")) allowed.add("le");
  return [
    ...found.filter(([, metric]) => metric === undefined).map(([name]) => `${name} is no metric of the services`),
    ...labels.filter((label) => !allowed.has(label)).map((label) => `no metric here has the label ${label}`),
  ];
}

function metricOf(name: string, known: readonly KnownMetric[]): KnownMetric | undefined {
  const [, base = name, suffix] = /^(\w+)_(bucket|count|sum)$/.exec(name) ?? [];
  if (suffix === undefined) return known.find((metric) => metric.kind !== "histogram" && metric.name === name);
  return known.find((metric) => metric.kind === "histogram" && metric.name === base);
}

for (const { alert, expr, labels, annotations } of alerts) {
  test(`${alert} uses metrics and labels that the services have`, () => {
    assert.deepEqual(problemsOf(expr, known), []);
  });

  test(`${alert} has a severity, and a runbook that names it`, () => {
    assert.ok(["page", "ticket"].includes(labels.severity));
    const runbook = join(root, annotations.runbook);
    assert.ok(existsSync(runbook), `${annotations.runbook} is missing`);
    assert.match(readFileSync(runbook, "utf8"), new RegExp(`^# .*\\b${alert}\\b`));
  });
}

for (const { expression, want } of [
  { expression: 'sum by (code) (rate(jobs_total{code!="1"}[5m])) > 0', want: [] },
  { expression: "rate(job_total[5m])", want: ["job_total is no metric of the services"] },
  { expression: "rate(jobs_total{status='1'}[5m])", want: ["no metric here has the label status"] },
  { expression: "histogram_quantile(0.9, sum by (le) (rate(job_get_seconds_bucket[1m])))", want: [] },
  { expression: "job_get_seconds > 1", want: ["job_get_seconds is no metric of the services"] },
  { expression: "jobs_total unless jobs_total offset 10m", want: [] },
]) {
  test(`${expression}: ${want.length === 0 ? "nothing is wrong" : want}`, () => {
    const few = knownMetrics(
      "| `jobs_total` | counter | code | a |\n| `job_get_seconds` | histogram | a, b | a, b |\n",
    );
    assert.deepEqual(problemsOf(expression, few), want);
  });
}

const { rules } = read("deploy/helm/plumbline/files/adapter-rules.yaml") as {
  rules: readonly { seriesQuery: string; name: { as: string } }[];
};

for (const { seriesQuery, name } of rules) {
  test(`the chart's rule for ${name.as} uses a metric that the services have`, () => {
    // Prometheus adds the labels namespace and pod.
    assert.deepEqual(problemsOf(seriesQuery.replace(/\{.*\}/, ""), known), []);
  });
}

test("Prometheus finds the replicas of every service by name, on their metrics port in compose", async () => {
  const { scrape_configs } = read("deploy/observability/prometheus.yml") as {
    scrape_configs: { job_name: string; dns_sd_configs?: { names: string[]; type: string; port: number }[] }[];
  };
  const found = scrape_configs.flatMap(({ job_name, dns_sd_configs = [] }) =>
    dns_sd_configs.map(({ names, type, port }) => [job_name, names, type, port]),
  );
  const variables = envFile(readFileSync(join(root, ".env"), "utf8"));
  const started = composeServices(readFileSync(join(root, "docker-compose.yml"), "utf8"), variables);
  const services = (await findServices(root)).filter(({ name }) => started.some(({ app }) => app === name));
  const expected = services.map(async ({ name, schema }) => {
    const environment = started.find(({ app }) => app === name)?.environment ?? {};
    const prefix = settingsPrefix(name);
    // The choice of the source is no setting of the schema.
    const variables = env(prefix, environment, { except: `${prefix}_CONFIG_` });
    const { ops } = await loadConfig(schema, [file(join(root, `config/${name}.yaml`), { optional: true }), variables]);
    return [name, [name], "A", (ops as { port: number }).port];
  });
  const byName = (a: readonly unknown[], b: readonly unknown[]) => String(a[0]).localeCompare(String(b[0]));
  assert.deepEqual(found.toSorted(byName), (await Promise.all(expected)).toSorted(byName));
});

test("every proxy of the profile chaos leads to a service, and every address of the profile to a proxy", () => {
  const proxies = JSON.parse(readFileSync(join(root, "deploy/chaos/toxiproxy.json"), "utf8")) as {
    listen: string;
    upstream: string;
  }[];
  const { services } = read("docker-compose.yml") as { services: Readonly<Record<string, unknown>> };
  for (const { upstream } of proxies) assert.ok(Object.hasOwn(services, upstream.split(":")[0] ?? ""), upstream);
  const addresses = readFileSync(join(root, "deploy/compose/chaos.env"), "utf8").matchAll(/=toxiproxy:(\d+)$/gm);
  assert.deepEqual(
    [...addresses].map(([, port]) => port).toSorted(),
    proxies.map(({ listen }) => listen.split(":")[1]).toSorted(),
  );
});
