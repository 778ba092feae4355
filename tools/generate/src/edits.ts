import { namesOf, pluralOf } from "./names.ts";
import type { Part } from "./parts.ts";
import { edit, insertAfterLast, insertBefore, type Tree } from "./tree.ts";

interface NewService {
  readonly name: string;
  readonly parts: readonly Part[];
}

export interface Ports {
  readonly port: number;
  readonly opsPort: number;
}

/** Returns the first ports behind those of the other services. */
export function nextPorts(tree: Tree): Ports {
  const table = tree.read(tablePath, "utf8") ?? "";
  const after = (pattern: RegExp, least: number) =>
    Math.max(least, ...[...table.matchAll(pattern)].map(([, value]) => Number(value))) + 1;
  return { port: after(/\bport: (50\d{3})/g, 50_050), opsPort: after(/\bopsPort: (\d+)/g, 9_463) };
}

/**
 * Adds the service to the files that list all services: the table of the stack,
 * docker-compose.yml, the routes of Envoy, the values of the Helm chart, the contracts' exports,
 * the clients of the issuer, the images of a release and the lock file.
 */
export function addToStack(tree: Tree, service: NewService, ports: Ports): void {
  addRow(tree, service, ports);
  addToCompose(tree, service, ports);
  addToEnvoy(tree, service, ports);
  addToChart(tree, service);
  addToContracts(tree, service);
  addToIssuer(tree, service);
  addToRelease(tree, service);
  addToLockFile(tree, service.name);
}

const tablePath = "tools/stack/src/services.ts";

function addRow(tree: Tree, { name, parts }: NewService, { port, opsPort }: Ports): void {
  const fields = [
    `name: "${name}"`,
    `port: ${port}`,
    `opsPort: ${opsPort}`,
    `packages: ["${namesOf(name).snake}"]`,
    ...(parts.includes("postgres") ? ["database: true"] : []),
    ...(parts.includes("events") ? [`publishes: ["${pluralOf(name)}.events"]`, 'consumes: ["orders.events"]'] : []),
  ];
  edit(tree, tablePath, (text) => insertBefore(text, /^ {2}\{.*standIn: true/, [`  { ${fields.join(", ")} },`]));
}

/** Lets the clients of the issuer for development call the service. */
function addToIssuer(tree: Tree, { name }: NewService): void {
  const scopes = ["read", "write"].map((word) => `"${pluralOf(name)}:${word}"`);
  edit(tree, "apps/issuer/src/clients.ts", (text) =>
    text.replace(/^(const own = \[.*)\];$/m, `$1, ${scopes.join(", ")}];`),
  );
}

/** Lets a release build and sign the service's image. */
function addToRelease(tree: Tree, { name }: NewService): void {
  edit(tree, ".github/workflows/release.yml", (text) => text.replace(/^( {8}service: \[.*)\]$/m, `$1, ${name}]`));
}

function addToCompose(tree: Tree, { name, parts }: NewService, { port }: Ports): void {
  const { upper, snake } = namesOf(name);
  const stateful = parts.includes("postgres");
  const image = `plumbline/${name}:\${PLUMBLINE_TAG}`;
  const build = `{ context: ., dockerfile: deploy/docker/node.Dockerfile, args: { APP: ${name} } }`;
  const withEvents = parts.includes("events");
  const passwords = [`${name}-password`, `${name}-owner-password`] as const;
  const kafkaPassword = `${name}-kafka-password`;
  const loginAs = (role: string, password: string) => [
    `${upper}_DATABASE_URL: postgresql://${role}@\${${upper}_POSTGRES_ADDRESS:-postgres:5432}/${snake}`,
    `${upper}_DATABASE_PASSWORD_FILE: /run/secrets/${password}`,
  ];
  const userOfKafka = (user: string, password: string) => [
    `${upper}_KAFKA_SASL_USERNAME: ${user}`,
    `${upper}_KAFKA_SASL_PASSWORD_FILE: /run/secrets/${password}`,
  ];
  const stores = [...(stateful ? ["data"] : []), ...(withEvents ? ["events"] : [])];
  const environment = [
    ...(stateful ? loginAs(snake, passwords[0]) : []),
    ...(withEvents
      ? [
          `${upper}_MESSAGING_ADAPTER: kafka`,
          `${upper}_KAFKA_BROKERS: \${KAFKA_ADDRESS:-kafka:9092}`,
          `${upper}_KAFKA_SASL_MECHANISM: plain`,
          ...userOfKafka(name, kafkaPassword),
          `${upper}_KAFKA_SESSION_MS: 6000`,
        ]
      : []),
    `${upper}_OPS_PORT: 9464`,
    `${upper}_RPC_TRANSPORT: \${PLUMBLINE_TRANSPORT:-}`,
    `${upper}_RPC_TLS_CERTIFICATE_FILE: \${PLUMBLINE_MTLS:+/run/tls/tls.crt}`,
    `${upper}_RPC_TLS_KEY_FILE: \${PLUMBLINE_MTLS:+/run/tls/tls.key}`,
    `${upper}_RPC_TLS_CLIENT_CA_FILE: \${PLUMBLINE_MTLS:+/run/tls/ca.crt}`,
    `${upper}_RPC_CALLERS: \${PLUMBLINE_MTLS:+spiffe://plumbline.internal/\${PLUMBLINE_PROXY:-gateway}}`,
    `${upper}_RPC_PRINCIPAL_PEERS: \${PLUMBLINE_PLAIN_CALLS:+\${PLUMBLINE_CALLS_SUBNET}}`,
    `${upper}_TELEMETRY_OTLP_ENDPOINT: \${OTLP_ENDPOINT}`,
  ];
  const anchor = `${name}-settings`;
  const lines = [
    `  ${name}:`,
    "    <<: *service",
    `    image: ${image}`,
    `    build: ${build}`,
    `    environment: &${anchor}`,
    ...environment.map((line) => `      ${line}`),
    ...(stateful ? [`    secrets: [${[passwords[0], ...(withEvents ? [kafkaPassword] : [])].join(", ")}]`] : []),
    `    volumes: ["./config:/app/config:ro", "${name}-tls:/run/tls:ro"]`,
    `    networks: [${["calls", ...stores].join(", ")}]`,
    `    mem_limit: ${stateful ? 192 : 128}m`,
    "    depends_on:",
    ...["certificates", ...(stateful ? [`${name}-migrate`] : [])].map(
      (step) => `      ${step}: { condition: service_completed_successfully }`,
    ),
    "",
  ];
  const migrate = [
    `  ${name}-migrate:`,
    "    <<: [*hardened, *config]",
    `    image: ${image}`,
    `    build: ${build}`,
    "    command: [main.js, migrate]",
    "    environment:",
    `      <<: *${anchor}`,
    ...[
      ...loginAs(`${snake}_owner`, passwords[1]),
      ...(withEvents ? [`${upper}_MESSAGING_ROLE: ${name}`, ...userOfKafka("kafka", "kafka-password")] : []),
    ].map((line) => `      ${line}`),
    `    secrets: [${[passwords[1], ...(withEvents ? ["kafka-password"] : [])].join(", ")}]`,
    `    networks: [${stores.join(", ")}]`,
    "    mem_limit: 192m",
    "    healthcheck: { disable: true }",
    "    depends_on: *engines",
    "",
  ];
  const target = `      GATEWAY_UPSTREAMS_${upper}: \${${upper}_TARGET:-dns:///\${${upper}_ADDRESS:-${name}:${port}}}`;
  edit(tree, "docker-compose.yml", (text) => {
    let result = insertAfterLast(text, /^ {6}GATEWAY_UPSTREAMS_/, [target]);
    const id = `\${PLUMBLINE_MTLS:+spiffe://plumbline.internal/\${PLUMBLINE_PROXY:-${name}}}`;
    result = insertAfterLast(result, /^ {6}GATEWAY_UPSTREAM_IDS_/, [`      GATEWAY_UPSTREAM_IDS_${upper}: ${id}`]);
    result = insertBefore(result, /^ {6}redis: \{ condition: service_healthy \}/, [
      `      ${name}: { condition: service_healthy }`,
    ]);
    result = insertBefore(result, /^ {2}# A stand-in for real suppliers/, [...lines, ...(stateful ? migrate : [])]);
    result = insertBefore(result, /^ {6}- issuer-tls:/, [`      - ${name}-tls:/services/${name}`]);
    result = insertBefore(result, /^ {2}issuer-tls:$/, [`  ${name}-tls:`]);
    if (!stateful) return result;
    result = insertAfterLast(
      result,
      /^ {6}- [\w-]+-owner-password$/,
      passwords.map((password) => `      - ${password}`),
    );
    const secret = (password: string) => `  ${password}: { file: "\${PLUMBLINE_SECRETS}/${password}" }`;
    result = insertAfterLast(result, /^ {2}[\w-]+-owner-password: /, passwords.map(secret));
    if (!withEvents) return result;
    result = insertAfterLast(result, /^ {2}[\w-]+-kafka-password: /, [secret(kafkaPassword)]);
    return result.replace(/^( {4}secrets: \[kafka-password, .*)\]$/m, `$1, ${kafkaPassword}]`);
  });
  for (const password of [...(stateful ? passwords : []), ...(withEvents ? [kafkaPassword] : [])]) {
    tree.write(`deploy/compose/secrets/${password}`, `${password.replace(/-password$/, "")}-development-only\n`);
  }
}

/** Lets the gateway of compose call the service through Envoy, with certificates and without. */
function addToEnvoy(tree: Tree, { name }: NewService, { port }: Ports): void {
  const { snake, upper } = namesOf(name);
  const target = `${upper}_TARGET=dns:///envoy:8001`;
  edit(tree, "deploy/compose/envoy-services.env", (text) => insertAfterLast(text, /_TARGET=/, [target]));
  const route = `        - { prefix: /${snake}.v1., to: ${name}, timeoutMs: 0 }`;
  const endpoints = `endpoints: ["${name}:${port}"]`;
  const healthCheck = "healthCheck: { http: /readyz, port: 9464 }";
  edit(tree, "config/routes.yaml", (text) => {
    const cluster = [
      `  ${name}:`,
      `    ${endpoints}`,
      "    protocol: http2",
      `    ${healthCheck}`,
      `    tls: { certificate: envoy, id: "spiffe://plumbline.internal/${name}" }`,
    ];
    const added = insertAfterLast(text, /^ {4}tls: \{ certificate: envoy, id: /, cluster);
    return insertAfterLast(added, /^ {8}- \{ prefix: /, [route]);
  });
  edit(tree, "config/routes.plain.yaml", (text) => {
    const cluster = `  ${name}: { ${endpoints}, protocol: http2, ${healthCheck} }`;
    const added = insertAfterLast(text, /^ {2}[\w-]+: \{ endpoints: /, [cluster]);
    return insertAfterLast(added, /^ {8}- \{ prefix: /, [route]);
  });
}

function addToChart(tree: Tree, { name, parts }: NewService): void {
  const stateful = parts.includes("postgres");
  const messaging = parts.includes("events") ? ["    settings: { messaging: { adapter: kafka } }"] : [];
  const secrets = `secrets: { database.url: { name: ${name}-database, key: url } }`;
  edit(tree, "deploy/helm/plumbline/values.yaml", (text) =>
    insertBefore(text, /^ {2}# Tells Envoy where the gateways are/, [
      `  ${name}:`,
      ...messaging,
      ...(stateful ? [`    # ${secrets}`, "    migration: { enabled: true }"] : []),
      `    resources: { cpu: 100m, memory: ${stateful ? 192 : 128}Mi }`,
      "    autoscaling: { min: 2, max: 6, metric: rpc_requests_per_second, target: 100, cpuPercent: 70 }",
      "",
    ]),
  );
  if (!stateful) return;
  edit(tree, "deploy/helm/examples/kafka.yaml", (text) =>
    insertBefore(text, /^networkPolicy:/, [
      `  ${name}:`,
      `    ${secrets}`,
      `    migration: { secrets: { database.url: { name: ${name}-owner-database, key: url } } }`,
    ]),
  );
  edit(tree, "deploy/helm/engines-for-tests/values.yaml", (text) =>
    text.replace(/^databases: \[(.*)\]$/m, (_, names: string) => `databases: [${names}, ${name}]`),
  );
}

function addToContracts(tree: Tree, { name, parts }: NewService): void {
  const { pascal, snake, camel } = namesOf(name);
  const stateful = parts.includes("postgres");
  const withEvents = parts.includes("events");
  const plural = namesOf(pluralOf(name));
  const messages = [
    ...(stateful ? [`Create${pascal}Request`, `Create${pascal}Response`] : []),
    pascal,
    `${pascal}ServiceDefinition as ${pascal}Service`,
    `Get${pascal}Request`,
    `Get${pascal}Response`,
  ];
  edit(tree, "libs/contracts/src/index.ts", (text) =>
    [
      text.trimEnd(),
      ...(withEvents
        ? [
            `export { ${camel}Created, ${plural.camel}Events } from "./events.ts";`,
            `export { ${pascal}Created } from "./gen/${snake}/v1/events.ts";`,
          ]
        : []),
      `export { ${messages.join(", ")} } from "./gen/${snake}/v1/${snake}.ts";`,
      "",
    ].join("\n"),
  );
  if (!withEvents) return;
  const events = "libs/contracts/src/events.ts";
  edit(tree, events, (text) => {
    const imported = insertAfterLast(text, /^import /, [
      `import { ${pascal}Created } from "./gen/${snake}/v1/events.ts";`,
    ]);
    const declared = insertAfterLast(imported, /^export const \w+ = eventType\(/, [
      `export const ${camel}Created = eventType("${snake}.v1.${pascal}Created", ${pascal}Created);`,
    ]);
    return insertBefore(declared, /^interface Codec/, [
      `/** The topic that ${name} writes. Its key is the id of the ${name.replaceAll("-", " ")}. */`,
      `export const ${plural.camel}Events = {`,
      `  topic: "${plural.kebab}.events",`,
      `  source: "/plumbline/${name}",`,
      "  partitions: 6,",
      `  types: [${camel}Created],`,
      "} as const;",
      "",
    ]);
  });
}

/** Adds the package to the lock file. It depends on no package that is not locked already. */
function addToLockFile(tree: Tree, name: string): void {
  edit(tree, "package-lock.json", (text) => {
    const lock = JSON.parse(text) as { packages: Record<string, unknown> };
    const { version, license, dependencies, devDependencies } = JSON.parse(
      tree.read(`apps/${name}/package.json`, "utf8") ?? "{}",
    ) as Record<string, unknown>;
    lock.packages[`apps/${name}`] = { name: `@plumbline/${name}`, version, license, dependencies, devDependencies };
    lock.packages[`node_modules/@plumbline/${name}`] = { resolved: `apps/${name}`, link: true };
    // npm keeps them in this order.
    const sorted = Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, "en"));
    lock.packages = Object.fromEntries(sorted);
    return `${JSON.stringify(lock, undefined, 2)}\n`;
  });
}
