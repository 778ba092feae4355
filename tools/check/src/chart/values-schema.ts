/** values.schema.json: the chart's own values, and the settings of each service. */
import { listSettings } from "@plumbline/config";
import { settingsPrefix } from "@plumbline/tools-stack";
import type { Service } from "../settings/services.ts";
import { commonSchema, type JsonSchema, settingsSchema } from "./settings-schema.ts";

const text: JsonSchema = { type: "string" };
const flag: JsonSchema = { type: "boolean" };
const anyMap: JsonSchema = { type: "object" };
const anyList: JsonSchema = { type: "array", items: { type: "object" } };
const textMap: JsonSchema = { type: "object", additionalProperties: { type: "string" } };
const port: JsonSchema = { type: "integer", minimum: 1, maximum: 65_535 };
const quantity: JsonSchema = { type: ["string", "number"], pattern: "^[0-9]+(\\.[0-9]+)?(m|[KMGT]i?)?$" };
const seconds: JsonSchema = { type: "integer", minimum: 0 };

/** Returns the text of values.schema.json. */
export function valuesSchema(services: readonly Service[]): string {
  const settings = services.map(settingsSchema);
  const root = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Values of the chart plumbline",
    $defs: { pod: podSchema(), metric: metricSchema(), secret: secretSchema(), peer: peerSchema() },
    ...map({
      // A chart that depends on this one may set both.
      global: anyMap,
      enabled: flag,
      fullnameOverride: text,
      clusterDomain: text,
      image: map({
        prefix: text,
        tag: text,
        pullPolicy: { enum: ["Always", "IfNotPresent", "Never"] },
        pullSecrets: { type: "array", items: { type: "string" } },
      }),
      settings: commonSchema(settings),
      pods: { $ref: "#/$defs/pod" },
      services: map(
        Object.fromEntries(services.map((service, index) => [service.name, serviceSchema(service, settings[index])])),
      ),
      mtls: map({
        enabled: flag,
        identity: { type: "string", pattern: "^(spiffe://[a-z0-9._-]+/[^%,]*%s[^%,]*)?$" },
        secret: { type: "string", pattern: "^[a-z0-9.-]*%s[a-z0-9.-]*$" },
      }),
      discovery: { enum: ["dns", "kubernetes"] },
      envoy: map({
        enabled: flag,
        image: text,
        replicas: { type: "integer", minimum: 1 },
        resources: map({ cpu: quantity, memory: quantity }),
        service: map({ port, annotations: textMap }),
        drainSeconds: { type: "integer", minimum: 1, maximum: 25 },
        routes: anyMap,
      }),
      autoscaling: map({
        metrics: { enum: ["none", "cpu", "adapter", "keda"] },
        behavior: anyMap,
        prometheus: text,
        rateWindow: { type: "string", pattern: "^[0-9]+[smh]$" },
      }),
      disruption: map({ enabled: flag, maxUnavailable: { type: ["integer", "string"] } }),
      networkPolicy: map({
        enabled: flag,
        dns: { $ref: "#/$defs/peer" },
        ingress: map({ from: anyList }),
        metrics: map({ from: anyList }),
        postgres: { $ref: "#/$defs/peer" },
        kafka: { $ref: "#/$defs/peer" },
        redis: { $ref: "#/$defs/peer" },
        apiServer: { $ref: "#/$defs/peer" },
        suppliers: { $ref: "#/$defs/peer" },
        collector: { $ref: "#/$defs/peer" },
        issuer: { $ref: "#/$defs/peer" },
      }),
      ingress: map({
        enabled: flag,
        className: text,
        hosts: { type: "array", items: text },
        tls: map({ secretName: text }),
        annotations: textMap,
      }),
      httpRoute: map({
        enabled: flag,
        hosts: { type: "array", items: text },
        parentRefs: anyList,
        annotations: textMap,
      }),
      metrics: map({
        scrapeAnnotations: flag,
        podMonitor: map({ enabled: flag, interval: text, labels: textMap }),
      }),
    }),
  };
  return `${JSON.stringify(root, undefined, 1)}\n`;
}

function map(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: "object", additionalProperties: false, properties };
}

/** Returns the schema of the values that `pods` sets for all services, and a service for itself. */
function podSchema(): JsonSchema {
  return map(podProperties());
}

function podProperties(): Readonly<Record<string, JsonSchema>> {
  return {
    replicas: { type: "integer", minimum: 0 },
    resources: map({ cpu: quantity, memory: quantity }),
    labels: textMap,
    annotations: textMap,
    nodeSelector: textMap,
    tolerations: anyList,
    affinity: anyMap,
    spread: flag,
    priorityClassName: text,
    runtimeClassName: text,
    extraEnv: { type: "array", items: { type: "object", required: ["name"] } },
    extraVolumes: anyList,
    extraVolumeMounts: anyList,
    dnsConfig: anyMap,
    startupSeconds: { type: "integer", minimum: 1 },
    minReadySeconds: seconds,
  };
}

function serviceSchema({ name, schema }: Service, settings: JsonSchema = {}): JsonSchema {
  const all = listSettings(schema, settingsPrefix(name));
  const secrets = all.filter(({ secret }) => secret);
  const references = referencesTo(secrets);
  const files = referencesTo(all.filter(({ key }) => key.endsWith("File")));
  const migrates = secrets.some(({ key }) => key === "database.url");
  return map({
    enabled: flag,
    image: map({ name: text, tag: text, digest: { type: "string", pattern: "^(sha256:[0-9a-f]{64})?$" } }),
    settings,
    secrets: references,
    files,
    ...(migrates && { migration: map({ enabled: flag, secrets: references }) }),
    autoscaling: { $ref: "#/$defs/metric" },
    service: map({ port, annotations: textMap }),
    ...podProperties(),
  });
}

/** Returns the schema of keys of Secrets, by the settings that take them. */
function referencesTo(settings: readonly { readonly key: string }[]): JsonSchema {
  return map(Object.fromEntries(settings.map(({ key }) => [key, { $ref: "#/$defs/secret" }])));
}

function metricSchema(): JsonSchema {
  return map({
    min: { type: "integer", minimum: 1 },
    max: { type: "integer", minimum: 1 },
    cpuPercent: { type: "integer", minimum: 1 },
    metric: { enum: ["http_requests_per_second", "rpc_requests_per_second", "message_consumer_lag_per_replica"] },
    target: { type: ["integer", "string"] },
  });
}

function secretSchema(): JsonSchema {
  return {
    ...map({ name: { type: "string", minLength: 1 }, key: { type: "string", minLength: 1 } }),
    required: ["name", "key"],
  };
}

function peerSchema(): JsonSchema {
  return map({ to: anyList, ports: { type: "array", items: port } });
}
