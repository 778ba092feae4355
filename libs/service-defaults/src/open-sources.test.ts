import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError, loadConfig, secret } from "@plumbline/config";
import { openEtcd } from "@plumbline/etcd";
import { freePort, testEtcd, whyNoEtcd } from "@plumbline/tools-engines";
import { z } from "zod";
import { openSources } from "./open-sources.ts";

const schema = z.object({ rate: z.int().default(10), burst: z.int().default(1), token: secret().optional() });
const skip = whyNoEtcd() ?? false;

type Environment = Readonly<Record<string, string>>;

async function load(environment: Environment) {
  await using opened = await openSources("orders", environment);
  return await loadConfig(schema, opened.sources);
}

async function problemsOf(environment: Environment): Promise<readonly string[]> {
  const error: unknown = await load(environment).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, String(error));
  return error.problems.map(({ key, source, expected }) => `${key} (${source}): ${expected}`);
}

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "plumbline-sources-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test("without a choice the settings come from the file, if there is one, and from variables, which win", async () => {
  assert.deepEqual({ ...(await load({ ORDERS_BURST: "3" })) }, { rate: 10, burst: 3 });
  using folder = temporaryFolder();
  const file = join(folder.path, "orders.yaml");
  writeFileSync(file, "rate: 2\nburst: 2");
  assert.deepEqual({ ...(await load({ ORDERS_CONFIG_FILE: file, ORDERS_BURST: "3" })) }, { rate: 2, burst: 3 });
});

for (const { name, environment, problem } of [
  {
    name: "a variable with a typo",
    environment: { ORDERS_CONFIG_SORUCE: "etcd" },
    problem: /^ORDERS_CONFIG_SORUCE .*did you mean ORDERS_CONFIG_SOURCE\?/,
  },
  {
    name: "an unknown source",
    environment: { ORDERS_CONFIG_SOURCE: "zookeeper" },
    problem: /^source \(ORDERS_CONFIG_SOURCE\): one of file, etcd, consul$/,
  },
  {
    name: "etcd without an endpoint",
    environment: { ORDERS_CONFIG_SOURCE: "etcd" },
    problem: /^etcd.endpoints \(not set: ORDERS_CONFIG_ETCD_ENDPOINTS\): required by the source etcd$/,
  },
  {
    name: "Consul without the address of its agent",
    environment: { ORDERS_CONFIG_SOURCE: "consul" },
    problem: /^consul.url \(not set: ORDERS_CONFIG_CONSUL_URL\): required by the source consul$/,
  },
  {
    name: "an endpoint with a password",
    environment: { ORDERS_CONFIG_SOURCE: "etcd", ORDERS_CONFIG_ETCD_ENDPOINTS: "http://user:hunter2@a:1" },
    problem: /^etcd.endpoints.* http:\/\/host:port or https:\/\/host:port$/,
  },
  {
    name: "a user without a password",
    environment: {
      ORDERS_CONFIG_SOURCE: "etcd",
      ORDERS_CONFIG_ETCD_ENDPOINTS: "http://a:1",
      ORDERS_CONFIG_ETCD_USERNAME: "orders",
    },
    problem: /^etcd.password .*: both username and password, or neither$/,
  },
  {
    name: "a certificate that does not exist",
    environment: {
      ORDERS_CONFIG_SOURCE: "etcd",
      ORDERS_CONFIG_ETCD_ENDPOINTS: "https://a:1",
      ORDERS_CONFIG_ETCD_TLS_CA_FILE: "/none/ca.pem",
    },
    problem: /^ca \(\/none\/ca.pem\): a file that can be read \(ENOENT\)$/,
  },
]) {
  test(`${name} is a problem that names its variable or file`, async () => {
    const problems = await problemsOf(environment);
    assert.ok(
      problems.some((text) => problem.test(text)),
      problems.join("\n"),
    );
    assert.ok(!problems.join().includes("hunter2"));
  });
}

test("a document in etcd sets what no variable sets", { skip }, async () => {
  await using server = await testEtcd();
  await using etcd = openEtcd({ endpoints: [server.url] });
  const key = `test/${crypto.randomUUID()}/orders.yaml`;
  const environment = {
    ORDERS_CONFIG_SOURCE: "etcd",
    ORDERS_CONFIG_ETCD_ENDPOINTS: server.url,
    ORDERS_CONFIG_KEY: key,
  };
  const [missing] = await problemsOf(environment);
  assert.equal(missing, `* (etcd://${new URL(server.url).host}/${key}): a document, but there is none`);
  assert.deepEqual({ ...(await load({ ...environment, ORDERS_CONFIG_OPTIONAL: "true" })) }, { rate: 10, burst: 1 });
  await etcd.put(key, "rate: 2\nburst: 2");
  assert.deepEqual({ ...(await load({ ...environment, ORDERS_BURST: "3" })) }, { rate: 2, burst: 3 });
  await etcd.put(key, "\nrtae: 2");
  const [typo] = await problemsOf(environment);
  assert.match(typo ?? "", /^rtae \(etcd:\/\/.*orders\.yaml:2\): a known setting \(did you mean rate\?\)$/);
  await etcd.delete({ key });
});

test("the flags are a document beside the settings, in the same source, and may be missing", { skip }, async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "orders.flags.json");
  const count = async (environment: Environment): Promise<number> => {
    await using opened = await openSources("orders", environment);
    const { flags } = await loadConfig(z.object({ flags: z.record(z.string(), z.unknown()).default({}) }), [
      opened.flags,
    ]);
    return Object.keys(flags).length;
  };
  const text = '{"flags":{"a":{}}}';
  assert.equal(await count({ ORDERS_CONFIG_FLAGS_FILE: path }), 0);
  writeFileSync(path, text);
  assert.equal(await count({ ORDERS_CONFIG_FLAGS_FILE: path }), 1);
  await using server = await testEtcd();
  await using etcd = openEtcd({ endpoints: [server.url] });
  const key = `test/${crypto.randomUUID()}/flags.json`;
  const environment = {
    ORDERS_CONFIG_SOURCE: "etcd",
    ORDERS_CONFIG_ETCD_ENDPOINTS: server.url,
    ORDERS_CONFIG_FLAGS_KEY: key,
  };
  assert.equal(await count(environment), 0);
  await etcd.put(key, text);
  assert.equal(await count(environment), 1);
  await etcd.delete({ key });
});

test("another document of a service is in the source of its settings, and must be there", { skip }, async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "routes.yaml");
  const key = `test/${crypto.randomUUID()}/routes.yaml`;
  const rateIn = async (environment: Environment): Promise<number | string> => {
    await using opened = await openSources("orders", environment);
    const document = opened.document({ file: path, key, name: "routes" });
    return await loadConfig(schema, [document]).then(({ rate }) => rate, String);
  };
  assert.match(String(await rateIn({})), /routes\.yaml\): expected a file/);
  writeFileSync(path, "rate: 3");
  assert.equal(await rateIn({}), 3);
  await using server = await testEtcd();
  await using etcd = openEtcd({ endpoints: [server.url] });
  const environment = {
    ORDERS_CONFIG_SOURCE: "etcd",
    ORDERS_CONFIG_ETCD_ENDPOINTS: server.url,
    ORDERS_CONFIG_CACHE_FILE: join(folder.path, "cache"),
  };
  assert.match(
    String(await rateIn(environment)),
    new RegExp(`etcd://.*${key}\\): expected a document, but there is none`),
  );
  await etcd.put(key, "rate: 4");
  assert.equal(await rateIn(environment), 4);
  assert.match(readdirSync(folder.path).join(" "), /\bcache\.routes\b/);
  await etcd.delete({ key });
});

test("the key is the one of the service if none is named, and the start ends after five seconds", async () => {
  const port = await freePort();
  const [problem] = await problemsOf({
    ORDERS_CONFIG_SOURCE: "etcd",
    ORDERS_CONFIG_ETCD_ENDPOINTS: `http://127.0.0.1:${port}`,
  });
  assert.match(
    problem ?? "",
    new RegExp(
      `^\\* \\(etcd://127.0.0.1:${port}/plumbline/config/orders.yaml\\): an answer within 5000 ms .*ECONNREFUSED`,
    ),
  );
});
