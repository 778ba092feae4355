import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import test from "node:test";
import * as contracts from "@plumbline/contracts";
import { rows as defaultRows, flagRows, ownServices, profileRows } from "@plumbline/tools-stack";
import { configName } from "../settings/services.ts";
import { checkCompose, secretsFolder } from "./check-compose.ts";
import { derivedFiles, withBlock } from "./derived-files.ts";

const rows = [...defaultRows, ...flagRows, ...profileRows];
const root = resolve(import.meta.dirname, "../../../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const compose = read("docker-compose.yml");
const passwords = new Set(readdirSync(join(root, secretsFolder)));

for (const [path, derive] of Object.entries(derivedFiles)) {
  test(`${path} agrees with the table of services`, () => assert.equal(read(path), derive(read(path))));
}

test("lines changed by hand in a generated block are replaced, and the rest is kept", () => {
  const path = "deploy/observability/prometheus.yml";
  const broken = read(path).replace("job_name: orders", "job_name: order").replace("3s", "4s");
  assert.equal(derivedFiles[path]?.(broken), read(path).replace("3s", "4s"));
});

test("a file without the comments around its generated block is refused", () => {
  assert.throws(() => withBlock("groups: []\n", ["x"]), /comments .* are missing/);
});

test("docker-compose.yml agrees with the table of services", () => {
  assert.deepEqual(checkCompose(compose, passwords), []);
});

for (const { name, text = compose, files = passwords, table = rows, want } of [
  {
    name: "a service that docker-compose.yml lacks is named",
    table: [...rows, { ...rows[1], name: "cart" } as (typeof rows)[number]],
    want: ["docker-compose.yml: cart of the table of services is missing"],
  },
  {
    name: "a container of ours that the table lacks is named",
    table: rows.filter((row) => row.name !== "greeter"),
    want: ["docker-compose.yml: greeter has no row in tools/stack/src/services.ts"],
  },
  {
    name: "another address of a service at the gateway is named, with the right one",
    text: compose.replace("orders:50052", "orders:50051"),
    want: [
      "docker-compose.yml: gateway needs GATEWAY_UPSTREAMS_ORDERS: ${ORDERS_TARGET:-dns:///${ORDERS_ADDRESS:-orders:50052}}",
    ],
  },
  {
    name: "a service that takes the calls of anybody without certificates is named",
    text: compose.replace(/ *ORDERS_RPC_PRINCIPAL_PEERS: .*\n/, ""),
    want: [
      "docker-compose.yml: orders needs ORDERS_RPC_PRINCIPAL_PEERS: ${PLUMBLINE_PLAIN_CALLS:+${PLUMBLINE_CALLS_SUBNET}}",
    ],
  },
  {
    name: "a service that takes the calls of another one is named",
    text: compose.replace(/( ORDERS_RPC_CALLERS: .*)gateway/, "$1worker"),
    want: [
      "docker-compose.yml: orders needs ORDERS_RPC_CALLERS: ${PLUMBLINE_MTLS:+spiffe://plumbline.internal/${PLUMBLINE_PROXY:-gateway}}",
    ],
  },
  {
    name: "a service that asks callers for no certificate is named",
    text: compose.replace(/ *WORKER_RPC_TLS_CLIENT_CA_FILE: .*\n/, ""),
    want: ["docker-compose.yml: worker needs WORKER_RPC_TLS_CLIENT_CA_FILE: ${PLUMBLINE_MTLS:+/run/tls/ca.crt}"],
  },
  {
    name: "a gateway that shows no certificate is named",
    text: compose.replace(/ *GATEWAY_UPSTREAM_TLS_KEY_FILE: .*\n/, ""),
    want: ["docker-compose.yml: gateway needs GATEWAY_UPSTREAM_TLS_KEY_FILE: ${PLUMBLINE_MTLS:+/run/tls/tls.key}"],
  },
  {
    name: "a gateway that takes a service for another one is named",
    text: compose.replace(/( GATEWAY_UPSTREAM_IDS_ORDERS: .*)orders/, "$1worker"),
    want: [
      "docker-compose.yml: gateway needs GATEWAY_UPSTREAM_IDS_ORDERS: ${PLUMBLINE_MTLS:+spiffe://plumbline.internal/${PLUMBLINE_PROXY:-orders}}",
    ],
  },
  {
    name: "a service that has the key of another one is named",
    text: compose.replace("greeter-tls:/run/tls:ro", "orders-tls:/run/tls:ro"),
    want: [
      "docker-compose.yml: greeter needs the volume greeter-tls:/run/tls:ro",
      "docker-compose.yml: orders has a private key that greeter mounts",
    ],
  },
  {
    name: "a service for which no certificate is made is named",
    text: compose.replace(/ *- worker-tls:.*\n/, ""),
    want: ["docker-compose.yml: worker needs the volume worker-tls:/services/worker at certificates"],
  },
  {
    name: "a stand-in among the callers that are believed is named",
    text: compose.replace("networks: [quotes]", "networks: [quotes, calls]"),
    want: ["docker-compose.yml: supplier needs networks: [quotes]"],
  },
  {
    name: "a password without a file is named",
    files: new Set([...passwords].filter((file) => file !== "worker-password")),
    want: ["docker-compose.yml: worker needs a file deploy/compose/secrets/worker-password"],
  },
  {
    name: "a service that reads the password of the role that migrates is named",
    text: compose.replace(
      "PASSWORD_FILE: /run/secrets/worker-password",
      "PASSWORD_FILE: /run/secrets/worker-owner-password",
    ),
    want: ["docker-compose.yml: worker needs WORKER_DATABASE_PASSWORD_FILE: /run/secrets/worker-password"],
  },
  {
    name: "a service that lists another secret is named",
    text: compose.replace("secrets: [worker-password, ", "secrets: [worker-password, redis-password, "),
    want: ["docker-compose.yml: worker needs secrets: [worker-password, worker-kafka-password]"],
  },
  {
    name: "a service that logs in to Kafka as another one is named",
    text: compose.replace("WORKER_KAFKA_SASL_USERNAME: worker", "WORKER_KAFKA_SASL_USERNAME: orders"),
    want: ["docker-compose.yml: worker needs WORKER_KAFKA_SASL_USERNAME: worker"],
  },
  {
    name: "a service that reads the password of Kafka's administrator is named",
    text: compose.replace("/run/secrets/orders-kafka-password", "/run/secrets/kafka-password"),
    want: ["docker-compose.yml: orders needs ORDERS_KAFKA_SASL_PASSWORD_FILE: /run/secrets/orders-kafka-password"],
  },
  {
    name: "a user of Kafka whose password Kafka does not read is named",
    text: compose.replace("secrets: [kafka-password, orders-kafka-password, ", "secrets: [kafka-password, "),
    want: ["docker-compose.yml: orders needs the secret orders-kafka-password at kafka"],
  },
  {
    name: "a migration that gives the rights to no user is named",
    text: compose.replace(/ *WORKER_MESSAGING_ROLE: .*\n/, ""),
    want: ["docker-compose.yml: worker-migrate needs WORKER_MESSAGING_ROLE: worker"],
  },
  {
    name: "a service without its folder of settings is named",
    text: compose.replaceAll("./config:/app/config:ro", "./config:/app/other:ro"),
    want: [...ownServices, ...profileRows].map(
      ({ name: service }) => `docker-compose.yml: ${service} does not mount ./config at /app/config`,
    ),
  },
  {
    name: "a service that may start before its migration is named",
    text: compose.replace("orders-migrate: { condition: service_completed_successfully }", "postgres: {}"),
    want: ["docker-compose.yml: orders must depend on orders-migrate having completed"],
  },
]) {
  test(name, () => assert.deepEqual(checkCompose(text, files, table), want));
}

test("the topics of the table are those of the contracts", () => {
  const topics = Object.values(contracts).flatMap((value) =>
    typeof value === "object" && "topic" in value ? [value.topic] : [],
  );
  assert.deepEqual(rows.flatMap(({ publishes = [] }) => publishes).toSorted(), topics.toSorted());
  for (const topic of rows.flatMap(({ consumes = [] }) => consumes))
    assert.ok(topics.includes(topic as "orders.events"));
});

test("the topics that migrate gives a service's role are those of the table", () => {
  for (const { name, publishes, consumes } of ownServices) {
    if ((publishes ?? consumes) === undefined) continue;
    const [, written = "", consumed = ""] =
      /migrateData\(\{[^}]*\bpublishes: (\w+), consumes: (\w+) \}\)/.exec(read(`apps/${name}/src/main.ts`)) ?? [];
    const topicOf = (event: string) => (contracts as unknown as Record<string, { topic?: string }>)[event]?.topic;
    assert.deepEqual([publishes, consumes], [[topicOf(written)], [topicOf(consumed)]], `apps/${name}/src/main.ts`);
  }
});

for (const [service, want] of [
  ["orders", "OrdersConfig"],
  ["control-plane", "ControlPlaneConfig"],
] as const) {
  test(`the schema of ${service} is called ${want}`, () => assert.equal(configName(service), want));
}
