/**
 * The files that are generated from the table of services (tools/stack/src/services.ts). If the
 * rest of a file is written by hand, the generated lines are between two comments:
 * `begin: npm run services` and `end: npm run services`.
 */
import {
  clusterRows,
  databaseOwners,
  flagRows,
  ownServices,
  profileRows,
  rows,
  type ServiceRow,
  serviceRow,
  settingsPrefix,
} from "@plumbline/tools-stack";

/** The port of every ops server in a container. */
const opsPort = 9464;
/** The port of Kafka for clients behind a proxy. */
const kafkaProxied = 9094;

/** Returns the right text of each file, from its present text. */
export const derivedFiles: Readonly<Record<string, (current: string) => string>> = {
  "docker-bake.hcl": (current) => withBlock(current, bakeVariables()),
  "deploy/observability/prometheus.yml": (current) => withBlock(current, scrapeJobs()),
  "deploy/observability/alerts.yml": (current) => withBlock(current, downExpression()),
  "deploy/chaos/toxiproxy.json": () => proxyFile(proxies()),
  "deploy/compose/chaos.env": () => proxyEnvironment(proxies()),
  "apps/gateway/src/known-targets.ts": () => knownTargets(),
};

/** Replaces the lines between the two comments. Throws if they are missing. */
export function withBlock(current: string, lines: readonly string[]): string {
  const block = /^( *)# begin: npm run services\b.*\n[^]*?^ *# end: npm run services\n/m;
  const found = block.exec(current);
  if (found === null) throw new Error('the comments "begin: npm run services" and "end: npm run services" are missing');
  const [, indent = ""] = found;
  const body = [
    "# begin: npm run services writes this from tools/stack/src/services.ts",
    ...lines,
    "# end: npm run services",
  ];
  return current.replace(block, () => body.map((line) => `${line === "" ? "" : indent}${line}\n`).join(""));
}

function bakeVariables(): string[] {
  const names = (of: readonly ServiceRow[]) => `[${of.map(({ name }) => `"${name}"`).join(", ")}]`;
  return [
    "# The services, and the programs that stand in for other companies' services.",
    'variable "SERVICES" {',
    `  default = ${names([...ownServices, ...profileRows, ...clusterRows])}`,
    "}",
    "",
    'variable "STAND_INS" {',
    `  default = ${names([...rows, ...flagRows].filter(({ standIn }) => standIn))}`,
    "}",
  ];
}

function scrapeJobs(): string[] {
  return [...ownServices, ...profileRows].flatMap(({ name }) => [
    `- job_name: ${name}`,
    `  dns_sd_configs: [{ names: [${name}], type: A, port: ${opsPort}, refresh_interval: 5s }]`,
  ]);
}

/** The block is the whole rule, because most of its lines depend on the table. */
function downExpression(): string[] {
  const names = ownServices.map(({ name }) => name);
  return [
    "- alert: ServiceDown",
    "  # A replica that is removed leaves DNS, and its target with it. A name without any address",
    "  # has no `up`.",
    "  expr: >-",
    `    up{job=~"${names.join("|")}"} == 0`,
    ...names.map((name) => `    or absent(up{job="${name}"})`),
    "  for: 30s",
    "  labels: { severity: page }",
    "  annotations:",
    '    summary: "{{ $labels.job }} {{ $labels.instance }} does not answer on its ops port"',
    "    runbook: docs/runbooks/service-down.md",
  ];
}

/** A connection that the profile chaos leads through toxiproxy. */
interface Proxy {
  readonly name: string;
  readonly listen: number;
  readonly upstream: string;
  /** The variable of docker-compose.yml that names the address. */
  readonly variable: string;
}

function proxies(): Proxy[] {
  const gateways = rows.filter(({ upstreams }) => upstreams === true).map(({ name }) => name);
  const called = ownServices.filter(({ packages = [] }) => packages.length > 0);
  const calls = ownServices.flatMap(({ name, calls = {} }) => Object.values(calls).map((to) => ({ from: name, to })));
  const to = (from: string, { name, port }: ServiceRow): Proxy => ({
    name: `${from}-${name}`,
    listen: port,
    upstream: `${name}:${port}`,
    variable: `${settingsPrefix(name)}_ADDRESS`,
  });
  return [
    ...gateways.flatMap((gateway) => called.map((row) => to(gateway, row))),
    { name: "gateway-redis", listen: 6379, upstream: "redis:6379", variable: "REDIS_ADDRESS" },
    ...calls.map(({ from, to: name }) => to(from, serviceRow(name))),
    ...databaseOwners.map((name, index) => ({
      name: `${name}-postgres`,
      listen: 5432 + index,
      upstream: "postgres:5432",
      variable: `${settingsPrefix(name)}_POSTGRES_ADDRESS`,
    })),
    { name: "kafka", listen: kafkaProxied, upstream: `kafka:${kafkaProxied}`, variable: "KAFKA_ADDRESS" },
  ];
}

function proxyFile(all: readonly Proxy[]): string {
  const lines = all.map(
    ({ name, listen, upstream }) =>
      `  { "name": "${name}", "listen": "0.0.0.0:${listen}", "upstream": "${upstream}", "enabled": true }`,
  );
  return `[\n${lines.join(",\n")}\n]\n`;
}

function proxyEnvironment(all: readonly Proxy[]): string {
  return [
    "# Generated by `npm run services`. With .env it starts the profile chaos and leads every connection",
    "# through deploy/chaos/toxiproxy.json.",
    "COMPOSE_PROFILES=chaos",
    ...all.map(({ variable, listen }) => `${variable}=toxiproxy:${listen}`),
    "",
  ].join("\n");
}

function knownTargets(): string {
  const targets = ownServices.flatMap(({ packages = [], port }) =>
    packages.map((one) => `  ${/^\w+$/.test(one) ? one : JSON.stringify(one)}: "dns:///127.0.0.1:${port}",`),
  );
  return [
    "/**",
    " * The address of each package in development, written by `npm run services`. Any other package has",
    " * no default: its address must be set.",
    " */",
    "export const knownTargets: Readonly<Record<string, string>> = {",
    ...targets,
    "};",
    "",
  ].join("\n");
}
