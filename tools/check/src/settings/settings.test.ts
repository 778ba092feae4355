import assert from "node:assert/strict";
import test from "node:test";
import { durationMs, live, port, secret } from "@plumbline/config";
import { z } from "zod";
import { composeServices, envFile } from "./compose.ts";
import { settingsDocument } from "./document.ts";
import { findDrift } from "./drift.ts";
import type { Service } from "./services.ts";

const shop: Service = {
  name: "shop",
  schema: z.object({
    rpc: z.object({ port: port(50_060) }),
    database: z.object({ url: secret().describe("postgresql://… | a role's own") }),
    brokers: z.array(z.string()).default(["a:1", "b:2"]),
    drainMs: durationMs(0),
    note: live(z.string().describe("a line").optional()),
  }),
};

const compose = (environment: string, build = "{ args: { APP: shop } }") => `
x-shop: &shop
  SHOP_DATABASE_URL: postgresql://shop:\${PASSWORD}@postgres/shop
services:
  shop:
    build: ${build}
    environment:
      <<: *shop
      SHOP_RPC_PORT: 50060
${environment}
  postgres: { image: "postgres:18", environment: { POSTGRES_PASSWORD: x } }
`;
const variables = envFile("# development\nPASSWORD=p\nEMPTY=\n");
const driftOf = async (text: string) => await findDrift([shop], composeServices(text, variables));

test("an environment that the schema accepts is no drift, with or without defaults and variables", async () => {
  assert.deepEqual(
    await driftOf(compose("      SHOP_NOTE: ${EMPTY}\n      SHOP_DRAIN_MS: ${DRAIN:-500}\n      PROBE_URL: http://x")),
    [],
  );
});

for (const { name, text, want } of [
  {
    name: "an unknown variable is reported with the nearest known one",
    text: compose("      SHOP_RPC_PROT: 1"),
    want: /^shop in docker-compose\.yml: SHOP_RPC_PROT .*did you mean SHOP_RPC_PORT/,
  },
  {
    name: "a missing required setting is reported by its variable",
    text: compose("").replace("<<: *shop", "SHOP_NOTE: x"),
    want: /database\.url \(not set: .*SHOP_DATABASE_URL/,
  },
  {
    name: "a wrong value is reported with the expected one, after interpolation",
    text: compose("      SHOP_DRAIN_MS: ${DRAIN:-soon}"),
    want: /drainMs \(SHOP_DRAIN_MS\): expected a whole number/,
  },
  {
    name: "a variable without the prefix of a service is reported",
    text: compose("      SHPO_NOTE: x"),
    want: /SHPO_NOTE is not read by shop/,
  },
  {
    name: "an app without a schema is named",
    text: compose("", "{ args: { APP: stall } }"),
    want: /there is no apps\/stall\/src\/config\.ts/,
  },
]) {
  test(name, async () => assert.match((await driftOf(text)).join("\n"), want));
}

test("a service that is never started is drift", async () => {
  assert.deepEqual(await findDrift([shop], []), ["shop is started nowhere: add it or remove the app"]);
});

test("a container built from a tool has no schema to compare with", () => {
  const text = compose("", "{ args: { APP: supplier } }");
  assert.deepEqual(composeServices(text, variables), []);
});

test("a variable that .env does not set is reported with the service that uses it", () => {
  assert.throws(
    () => composeServices(compose("      SHOP_NOTE: ${NOPE}"), variables),
    /shop: SHOP_NOTE uses \$\{NOPE\}/,
  );
});

test("the path of a secret is that of its file here, if the container lists it", () => {
  const text = `secrets: { shop: { file: "\${FOLDER}/shop" } }${compose("      SHOP_TOKEN_FILE: /run/secrets/shop")}`;
  const listing = text.replace("    environment:\n", "    secrets: [shop]\n    environment:\n");
  const known = new Map([...variables, ["FOLDER", "./secrets"]]);
  const [started] = composeServices(listing, known);
  assert.match(started?.environment["SHOP_TOKEN_FILE"] ?? "", /^\/.*[^.]\/secrets\/shop$/);
  assert.throws(() => composeServices(text, known), /shop: SHOP_TOKEN_FILE reads the secret shop: add it/);
});

test("a variable may have a default, or a text that takes its place where it is set, with others in them", () => {
  const note = (text: string, ...more: readonly (readonly [string, string])[]) =>
    composeServices(compose(`      SHOP_NOTE: ${text}`), new Map([...variables, ["PORT", "1"], ...more]))[0]
      ?.environment["SHOP_NOTE"];
  assert.equal(note("${TARGET:-dns:///${ADDRESS:-shop:2}}"), "dns:///shop:2");
  assert.equal(note("${TARGET:-dns:///${ADDRESS:-shop:2}}", ["ADDRESS", "proxy:3"]), "dns:///proxy:3");
  assert.equal(note("${TARGET:-dns:///${ADDRESS:-shop:2}}", ["TARGET", "ipv4:::1"]), "ipv4:::1");
  for (const value of ["", undefined]) {
    assert.equal(note("${TLS:+/run/${PORT}}", ...(value === undefined ? [] : [["TLS", value] as const])), "");
  }
  assert.equal(note("${TLS:+/run/${PORT}}", ["TLS", "on"]), "/run/1");
});

test("two dollars are one dollar, and not a variable", () => {
  const [started] = composeServices(compose("      SHOP_NOTE: $${PASSWORD}"), variables);
  assert.equal(started?.environment["SHOP_NOTE"], "${PASSWORD}");
});

test("the variables that choose the source of settings are checked, and described once", async () => {
  const started = (environment: Record<string, string>) => [{ where: "here", app: "shop", environment }];
  const set = { SHOP_DATABASE_URL: "postgresql://a", SHOP_BROKERS: "a:1" };
  const etcd = { SHOP_CONFIG_SOURCE: "etcd", SHOP_CONFIG_ETCD_ENDPOINTS: "http://etcd:2379" };
  assert.deepEqual(await findDrift([shop], started({ ...set, ...etcd })), []);
  const [problem] = await findDrift([shop], started({ ...set, ...etcd, SHOP_CONFIG_SORUCE: "etcd" }));
  assert.match(problem ?? "", /^here: SHOP_CONFIG_SORUCE .*did you mean SHOP_CONFIG_SOURCE\?/);
  assert.equal(settingsDocument([shop]).split("`SERVICE_CONFIG_SOURCE`").length, 2);
});

test("the page has a row for each setting: variable, accepted values, default, secret, description", () => {
  const rows = settingsDocument([shop])
    .split("\n")
    .filter((line) => line.startsWith("| `SHOP_"));
  assert.deepEqual(rows, [
    "| `SHOP_RPC_PORT` | `rpc.port` | a whole number from 0 to 65535 | `50060` |  |",
    "| `SHOP_DATABASE_URL` | `database.url` | text that is not empty | **required** | **secret**; postgresql://… \\| a role's own |",
    "| `SHOP_BROKERS` | `brokers` | a list, each text, written `a, b` | `a:1, b:2` |  |",
    "| `SHOP_DRAIN_MS` | `drainMs` | a whole number from 0 to 2147483647 | `0` |  |",
    "| `SHOP_NOTE` | `note` | text | – | **live**; a line |",
  ]);
});
