import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import test, { describe, type TestContext } from "node:test";
import { settingsPrefix } from "@plumbline/config";
import { parse } from "yaml";
import { identityOf } from "../processes/certificates.ts";
import { databaseOwners, ownServices, rows } from "../services.ts";
import { root } from "./docker.ts";
import { memoryBudget } from "./memory-report.ts";

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly container_name?: string;
  readonly ports?: readonly string[];
  readonly mem_limit?: string;
  readonly pids_limit?: number;
  readonly user?: string;
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly network_mode?: string;
  readonly cap_add?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly privileged?: boolean;
  readonly stop_grace_period?: string;
  readonly restart?: string;
  readonly profiles?: readonly string[];
  readonly healthcheck?: unknown;
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly secrets?: readonly string[];
}

const { services, secrets } = parse(readFileSync(join(root, "docker-compose.yml"), "utf8"), { merge: true }) as {
  services: Readonly<Record<string, Service>>;
  secrets: Readonly<Record<string, { readonly file: string }>>;
};
const isStep = (name: string) => name.endsWith("-migrate") || name === "certificates";
const scaled = ownServices.map(({ name }) => name);

for (const [name, service] of Object.entries(services)) {
  test(`${name} is reached from this machine only`, () => {
    for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:/);
  });

  test(`${name} may not become more than it is`, () => {
    assert.deepEqual(service.cap_drop, ["ALL"]);
    // It gives keys to the user of the images, and is on no network.
    assert.deepEqual(service.cap_add, name === "certificates" ? ["CHOWN", "DAC_OVERRIDE"] : undefined);
    assert.deepEqual(service.security_opt, ["no-new-privileges:true"]);
    assert.equal(service.privileged, undefined);
    // Kafka's image writes its settings beside its programs when it starts.
    assert.equal(service.read_only, name !== "kafka");
  });

  test(`${name} has a limit, a grace and a version`, () => {
    assert.match(service.mem_limit ?? "", /^\d+m$/);
    assert.equal(service.stop_grace_period, "15s");
    assert.ok((service.pids_limit ?? 0) > 0, "no pids_limit");
    assert.match(service.image, /:(\$\{PLUMBLINE_TAG\}|\d[\d.]*)$/);
  });
}

for (const name of scaled) {
  test(`${name} may run more than once: no name and no single port of the host are its own`, () => {
    const service = services[name];
    assert.ok(service);
    assert.equal(service.container_name, undefined);
    for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:\$\{HOST_PORTS_GATEWAY\}:/);
  });
}

test("redis is the first process of its container, and no list of processes shows its password", async (t) => {
  const bin = mkdtempSync(join(tmpdir(), "redis-command-"));
  t.after(() => rmSync(bin, { recursive: true }));
  writeFileSync(join(bin, "redis-server"), '#!/bin/sh\necho "$$ $*"\ncat\n');
  chmodSync(join(bin, "redis-server"), 0o755);
  const password = "a 'b' \"c\" $(echo d) `echo e` \\f";
  const file = join(bin, "password");
  writeFileSync(file, `${password}\n`);
  const [program = "", ...args] = (services["redis"]?.command ?? []).map((word) =>
    word.replaceAll("$$", "$").replace("/run/secrets/redis-password", file),
  );
  const child = spawn(program, args, {
    env: { PATH: `${bin}${delimiter}${process.env["PATH"]}` },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = await Promise.all([text(child.stdout), once(child, "close")]);
  const [first = "", ...settings] = output.trimEnd().split("\n");
  assert.match(first, new RegExp(`^${child.pid} - --save +--appendonly no `));
  assert.deepEqual(settings, [`requirepass ${password}`]);
});

describe("kafka", () => {
  const start = readFileSync(join(root, "deploy/compose/kafka.sh"), "utf8");
  const right = { "kafka-password": "a\n", "orders-kafka-password": "b\n", "other-password": "c\n" };

  /** Runs the script that starts Kafka, with a Kafka that prints its process id and its users. */
  function run(t: TestContext, files: Readonly<Record<string, string>>) {
    const folder = mkdtempSync(join(tmpdir(), "kafka-command-"));
    t.after(() => rmSync(folder, { recursive: true }));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    writeFileSync(
      join(folder, "kafka"),
      '#!/bin/sh\nfile="${KAFKA_OPTS#-Djava.security.auth.login.config=}"\necho "$$ $(stat -c %a "$file")"\ncat "$file"\n',
      { mode: 0o755 },
    );
    const script = start
      .replaceAll("/run/secrets", folder)
      .replaceAll("/dev/shm", folder)
      .replaceAll("/etc/kafka/docker/run", join(folder, "kafka"));
    return spawnSync("sh", ["-c", script], { encoding: "utf8" });
  }

  test("is the first process of its container, and its users are in a file that only it reads", (t) => {
    const password = "a 'b' \"c\" $(echo d) `echo e` \\f %s";
    const { stdout, pid } = run(t, { ...right, "orders-kafka-password": `${password}\n` });
    assert.equal(
      stdout,
      [
        `${pid} 600`,
        "KafkaServer {",
        "  org.apache.kafka.common.security.plain.PlainLoginModule required",
        '  username="kafka" password="a" user_kafka="a"',
        `  user_orders="${password.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}";`,
        "};",
        "",
      ].join("\n"),
    );
  });

  for (const { name, files, says } of [
    {
      name: "a password that is empty",
      files: { "orders-kafka-password": "" },
      says: /orders-kafka-password: expected/,
    },
    { name: "an administrator without one", files: { "kafka-password": "" }, says: /\/kafka-password: expected/ },
    {
      name: "one that Java would read as a property",
      files: { "orders-kafka-password": "a${user.name}\n" },
      says: /orders-kafka-password: expected a password without \$\{/,
    },
  ]) {
    test(`does not start with ${name}`, (t) => {
      const { status, stdout, stderr } = run(t, { ...right, ...files });
      assert.deepEqual([status, stdout], [1, ""]);
      assert.match(stderr, says);
    });
  }

  test("asks for a login on each listener, and allows what an ACL allows", () => {
    const settings = services["kafka"]?.environment ?? {};
    const protocols = String(settings["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]).split(",");
    const listeners = String(settings["KAFKA_LISTENERS"]).split(",");
    assert.equal(protocols.length, listeners.length);
    for (const protocol of protocols) assert.match(protocol, /:SASL_PLAINTEXT$/);
    // The broker is its only client.
    assert.ok(listeners.includes("CONTROLLER://127.0.0.1:9093"));
    assert.equal(settings["KAFKA_SUPER_USERS"], "User:kafka");
    assert.equal(settings["KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND"], "false");
    assert.match(String(settings["KAFKA_AUTHORIZER_CLASS_NAME"]), /StandardAuthorizer$/);
  });
});

/** The services that publish or consume events. */
const onEvents = rows
  .filter(({ publishes, consumes }) => (publishes ?? consumes) !== undefined)
  .map(({ name }) => name);

const withMigration = (names: readonly string[]) => names.flatMap((name) => [name, `${name}-migrate`]);

/** The containers that open connections to another one. */
const callers: Readonly<Record<string, readonly string[]>> = {
  postgres: withMigration(databaseOwners),
  kafka: withMigration(onEvents),
  supplier: ["worker"],
  redis: ["gateway"],
  issuer: ["gateway"],
};

test("an engine or a stand-in shares networks with its callers, and with no other container", () => {
  for (const [engine, wanted] of Object.entries(callers)) {
    const sharing = Object.keys(services).filter(
      (name) => name !== engine && services[name]?.networks?.some((one) => services[engine]?.networks?.includes(one)),
    );
    for (const caller of wanted) assert.ok(sharing.includes(caller), `${caller} does not reach ${engine}`);
    assert.deepEqual(sharing.toSorted(), [...wanted].toSorted());
  }
});

test("only gateway is where clients are", () => {
  const names = Object.keys(services).filter((name) => services[name]?.networks?.includes("edge"));
  assert.deepEqual(names, ["gateway"]);
  for (const [name, { networks, network_mode }] of Object.entries(services)) {
    assert.ok(networks !== undefined || network_mode === "none", name);
  }
});

test("those whose word is taken about who calls, without certificates, are gateway and what it calls", () => {
  const names = Object.keys(services).filter((name) => services[name]?.networks?.includes("calls"));
  const called = rows.filter(({ packages }) => packages !== undefined).map(({ name }) => name);
  assert.deepEqual(names.toSorted(), ["gateway", ...called, "control-plane"].toSorted());
  for (const name of called) {
    const subnet = "${PLUMBLINE_PLAIN_CALLS:+${PLUMBLINE_CALLS_SUBNET}}";
    assert.equal(services[name]?.environment?.[`${settingsPrefix(name)}_RPC_PRINCIPAL_PEERS`], subnet);
  }
});

/** Reads a document of control-plane, by the end of its name. */
function routesOf(plain = "") {
  return parse(readFileSync(join(root, `config/routes${plain}.yaml`), "utf8")) as {
    certificates?: unknown;
    readonly listeners: Readonly<Record<string, { tls?: { readonly callers: readonly string[] } }>>;
    readonly clusters: Readonly<Record<string, { tls?: { readonly id: string } }>>;
  };
}

describe("Envoy between gateway and the services", () => {
  const called = rows.filter(({ packages }) => packages !== undefined).map(({ name }) => name);

  test("lets gateway in alone, and knows each service by its own id", () => {
    const { listeners, clusters } = routesOf();
    assert.deepEqual(listeners["services"]?.tls?.callers, [identityOf("gateway")]);
    const targets = readFileSync(join(root, "deploy/compose/envoy-services.env"), "utf8");
    for (const name of called) {
      assert.equal(clusters[name]?.tls?.id, identityOf(name));
      assert.match(targets, new RegExp(`^${settingsPrefix(name)}_TARGET=dns:///envoy:8001$`, "m"));
    }
  });

  test("has the same document without certificates where calls are plain", () => {
    const document = routesOf();
    delete document.certificates;
    for (const one of [...Object.values(document.listeners), ...Object.values(document.clusters)]) delete one.tls;
    assert.deepEqual(routesOf(".plain"), document);
    const file = "config/routes${PLUMBLINE_PLAIN_CALLS:+.plain}.yaml";
    assert.equal(services["control-plane"]?.environment?.["CONTROL_PLANE_ROUTES_FILE"], file);
  });

  test("is the only one to mount its key, which its user may read", () => {
    const { envoy } = (
      parse(readFileSync(join(root, "deploy/compose/envoy.yml"), "utf8")) as { services: typeof services }
    ).services;
    assert.equal(envoy?.user, "65532:65532");
    assert.ok(envoy.volumes?.includes("envoy-tls:/run/tls:ro"));
    const mounting = Object.keys(services).filter((name) => services[name]?.volumes?.join().includes("envoy-tls"));
    assert.deepEqual(mounting, ["certificates"]);
  });
});

test("the limits of what stays up add to the budget at most", () => {
  const standing = Object.entries(services).filter(([name, { profiles }]) => profiles === undefined && !isStep(name));
  const mebibytes = standing.map(([, { mem_limit = "" }]) => Number.parseInt(mem_limit, 10));
  const total = mebibytes.reduce((sum, next) => sum + next, 0);
  assert.ok(total * 1_048_576 <= memoryBudget, `${total} MiB`);
});

test("each secret is a file that says that it is for development", () => {
  const names = [
    "postgres-password",
    ...databaseOwners.flatMap((name) => [`${name}-password`, `${name}-owner-password`]),
    "kafka-password",
    ...onEvents.map((name) => `${name}-kafka-password`),
    "redis-password",
  ];
  assert.deepEqual(Object.keys(secrets), names);
  for (const name of names) {
    assert.deepEqual(secrets[name], { file: `\${PLUMBLINE_SECRETS}/${name}` });
    const text = readFileSync(join(root, "deploy/compose/secrets", name), "utf8");
    assert.equal(text, `${name.replace(/-password$/, "")}-development-only\n`);
  }
});

for (const [name, { environment = {}, command, healthcheck, secrets: listed = [] }] of Object.entries(services)) {
  test(`docker inspect shows no password of ${name}, and it reads only files that it lists`, () => {
    for (const [variable, value] of Object.entries(environment)) {
      if (/PASSWORD|SECRET|TOKEN/.test(variable)) assert.match(variable, /_FILE$/);
      assert.doesNotMatch(String(value), /:\/\/[^/]*:[^/]*@/, `${variable} has a password in its URL`);
    }
    const texts = [...Object.values(environment), ...(command ?? []), JSON.stringify(healthcheck)].map(String);
    const read = texts.flatMap((text) => [...text.matchAll(/\/run\/secrets\/([\w-]+)/g)].map(([, secret]) => secret));
    for (const secret of read) assert.ok(listed.includes(secret ?? ""), `${secret} is not in secrets`);
    for (const text of texts) assert.doesNotMatch(text, /PASSWORD\}|development-only/);
  });
}

test("no variable of .env has the name of a service's setting: Nx gives them to all it runs", () => {
  const names = [...readFileSync(join(root, ".env"), "utf8").matchAll(/^(\w+)=/gm)].map(([, name]) => name ?? "");
  assert.deepEqual(
    names.filter((name) =>
      ["TEST", "E2E", ...rows.map((row) => settingsPrefix(row.name))].some((prefix) => name.startsWith(`${prefix}_`)),
    ),
    [],
  );
});
