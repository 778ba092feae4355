import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, env, listSettings, loadConfig } from "@plumbline/config";
import { serverSettings } from "@plumbline/rpc/settings";
import { serviceConfig, settings } from "./settings.ts";

const WithEvents = serviceConfig({
  ops: settings.ops({ port: 9_400 }),
  database: settings.database(),
  ...settings.broker({ memory: true }),
  retries: settings.retries(),
  relay: settings.relay(),
  inbox: settings.inbox(),
  telemetry: settings.telemetry(),
  ...settings.shutdown(),
});
const least = { X_DATABASE_URL: "postgresql://a", X_MESSAGING_URL: "postgresql://b" };
const load = (environment: Readonly<Record<string, string>>) => loadConfig(WithEvents, [env("X", environment)]);

async function problemsOf(loading: Promise<unknown>): Promise<readonly string[]> {
  const error: unknown = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConfigError)) throw error;
  return error.problems.map(({ key, expected }) => `${key}: ${expected}`);
}

test("a service needs the addresses of its database and of its broker, and no other setting", async () => {
  const config = await load(least);
  assert.deepEqual([config.ops.port, config.messaging.adapter, config.graceMs], [9_400, "postgres", 10_000]);
  assert.deepEqual(config.retries, { attempts: 5, delaysMs: [5_000, 60_000, 600_000] });
});

test("the adapter postgres needs the url of its database; the others do not", async () => {
  const { X_DATABASE_URL } = least;
  assert.deepEqual(await problemsOf(load({ X_DATABASE_URL })), ["messaging.url: required by the adapter postgres"]);
  for (const adapter of ["kafka", "memory"]) await load({ X_DATABASE_URL, X_MESSAGING_ADAPTER: adapter });
});

test("a role of messaging is for brokers that know roles", async () => {
  const config = await load({ ...least, X_MESSAGING_ROLE: "x" });
  assert.equal(config.messaging.role, "x");
  await load({ ...least, X_MESSAGING_ADAPTER: "kafka", X_MESSAGING_ROLE: "x" });
  const memory = load({ ...least, X_MESSAGING_ADAPTER: "memory", X_MESSAGING_ROLE: "x" });
  assert.deepEqual(await problemsOf(memory), ["messaging.role: nothing, because the adapter memory knows no roles"]);
});

test("a URL that is none of a database is refused without showing it", async () => {
  const problems = await problemsOf(load({ ...least, X_DATABASE_URL: "mysql://role:hunter2@a", X_MESSAGING_URL: "b" }));
  assert.deepEqual(problems, [
    "database.url: postgresql://role:password@host:port/name",
    "messaging.url: postgresql://role:password@host:port/name",
  ]);
});

test("a password beside a URL that has no host is refused", async () => {
  const socket = "postgresql:///orders?host=/run/postgresql";
  const wrong = load({ X_DATABASE_URL: socket, X_DATABASE_PASSWORD: "hunter2", X_MESSAGING_URL: "postgresql://b" });
  assert.deepEqual(await problemsOf(wrong), ["database.password: a host in url, or the password within url"]);
  await load({ ...least, X_DATABASE_URL: socket });
});

test("the URLs and passwords of databases are live, so that they may be rotated", () => {
  const live = listSettings(WithEvents, "X").filter((setting) => setting.live);
  assert.deepEqual(
    live.map(({ key }) => key),
    [
      "database.url",
      "database.password",
      "messaging.url",
      "messaging.password",
      "kafka.sasl.username",
      "kafka.sasl.password",
    ],
  );
});

test("the adapter memory is there for services that ask for it", async () => {
  const config = serviceConfig({ ...settings.broker(), ...settings.shutdown() });
  const problems = await problemsOf(loadConfig(config, [env("X", { X_MESSAGING_ADAPTER: "memory" })]));
  assert.match(problems[0] ?? "", /^messaging\.adapter: one of postgres, kafka\b/);
});

for (const { leastGraceMs, graceMs, isRefused } of [
  { leastGraceMs: undefined, graceMs: "2999", isRefused: true },
  { leastGraceMs: undefined, graceMs: "3000", isRefused: false },
  { leastGraceMs: 1_000, graceMs: "1999", isRefused: true },
  { leastGraceMs: 1_000, graceMs: "2000", isRefused: false },
]) {
  const bound = leastGraceMs ?? "its default";
  test(`with a drain of 1000, a bound of ${bound} ${isRefused ? "refuses" : "takes"} a grace of ${graceMs}`, async () => {
    const config = serviceConfig(settings.shutdown(), leastGraceMs === undefined ? {} : { leastGraceMs });
    const loading = loadConfig(config, [env("X", { X_DRAIN_MS: "1000", X_GRACE_MS: graceMs })]);
    const want = `graceMs: at least ${leastGraceMs ?? 2_000} more than drainMs, not ${graceMs}`;
    if (isRefused) assert.deepEqual(await problemsOf(loading), [want]);
    else await loading;
  });
}

test("each setting but switches and addresses says what it is for", () => {
  const undescribed = listSettings(WithEvents, "X").filter(({ description }) => description === undefined);
  assert.deepEqual(
    undescribed.map(({ key }) => key),
    ["ops.host", "ops.port", "kafka.sasl.mechanism", "telemetry.logLevel"],
  );
});

test("registries take both a user and a password of etcd, or neither", async () => {
  const config = serviceConfig({ discovery: settings.discovery(), ...settings.shutdown() });
  const half = loadConfig(config, [env("X", { X_DISCOVERY_ETCD_USERNAME: "orders" })]);
  assert.deepEqual(await problemsOf(half), ["discovery.etcd.password: both username and password, or neither"]);
});

test("a registry needs its store, and time for the deregistration", async () => {
  const config = serviceConfig({
    rpc: serverSettings({ port: 1, maxConnectionAgeGraceMs: 0 }),
    registration: settings.registration(),
    ...settings.shutdown(),
  });
  const problems = (environment: Readonly<Record<string, string>>) =>
    problemsOf(loadConfig(config, [env("X", environment)]));
  assert.equal((await loadConfig(config, [])).registration.registry, "none");
  assert.deepEqual(await problems({ X_REGISTRATION_REGISTRY: "etcd" }), [
    "registration.etcd.endpoints: required by the registry etcd",
  ]);
  assert.deepEqual(await problems({ X_REGISTRATION_REGISTRY: "consul" }), [
    "registration.consul.url: required by the registry consul",
  ]);
  const consul = { X_REGISTRATION_REGISTRY: "consul", X_REGISTRATION_CONSUL_URL: "http://127.0.0.1:8500" };
  assert.deepEqual(await problems({ ...consul, X_GRACE_MS: "3999" }), [
    "graceMs: at least 2000 more than drainMs, and the 2000 of a deregistration, not 3999",
  ]);
  // A registered name is a label of DNS.
  assert.equal((await problems({ ...consul, X_GRACE_MS: "4000", X_REGISTRATION_SERVICE: "a".repeat(64) })).length, 1);
  await loadConfig(config, [env("X", { ...consul, X_GRACE_MS: "4000", X_REGISTRATION_SERVICE: "a".repeat(63) })]);
  const mutual = { X_RPC_TLS_CERTIFICATE_FILE: "a", X_RPC_TLS_KEY_FILE: "b", X_RPC_TLS_CLIENT_CA_FILE: "c" };
  assert.deepEqual(await problems({ ...consul, ...mutual }), [
    "registration.check: readyz, because Consul has no client certificate for rpc.tls",
  ]);
  await loadConfig(config, [env("X", { ...consul, ...mutual, X_REGISTRATION_CHECK: "readyz", X_GRACE_MS: "4000" })]);
});
