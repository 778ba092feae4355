import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import test from "node:test";
import { z } from "zod";
import { folder } from "../../test/folder.ts";
import { problemsOf } from "../../test/problems.ts";
import { loadConfig } from "../load-config.ts";
import { port, secret } from "../types.ts";
import { env } from "./env.ts";
import { isServiceLink } from "./service-links.ts";

const one = (schema: z.ZodType, text: string) => loadConfig(z.object({ key: schema }), [env("X", { X_KEY: text })]);

for (const { name, schema, text, want } of [
  { name: "digits are a number", schema: z.number(), text: "1e3", want: 1000 },
  { name: "digits stay text if the setting is text", schema: z.string(), text: "007", want: "007" },
  { name: "true is a flag", schema: z.boolean(), text: "true", want: true },
  { name: "false is a flag, not a text that counts as true", schema: z.boolean(), text: "false", want: false },
  { name: "commas separate a list", schema: z.array(z.string()), text: "a, b ,c", want: ["a", "b", "c"] },
  { name: "commas separate numbers too", schema: z.array(z.int()), text: "5000, 60000", want: [5_000, 60_000] },
  { name: "one number is a list of one", schema: z.array(z.int()).optional(), text: "5000", want: [5_000] },
  {
    name: "digits in a list stay text if its items are text",
    schema: z.array(z.string()),
    text: "007, 8",
    want: ["007", "8"],
  },
  { name: "a list may be JSON", schema: z.array(z.number()), text: "[1, 2]", want: [1, 2] },
  { name: "a map is JSON", schema: z.record(z.string(), z.number()), text: '{"a": 1}', want: { a: 1 } },
  {
    name: "a number or text is a number when it can be",
    schema: z.union([z.number(), z.string()]),
    text: "5",
    want: 5,
  },
  { name: "a number or text is text otherwise", schema: z.union([z.number(), z.string()]), text: "5s", want: "5s" },
]) {
  test(name, async () => assert.deepEqual((await one(schema, text)).key, want));
}

for (const [schema, text] of [
  [z.number(), "0x10"],
  [z.number(), " "],
  [z.number(), "1,000"],
  [z.boolean(), "yes"],
  [z.boolean(), "1"],
  [z.record(z.string(), z.number()), "a=1"],
] as const) {
  test(`${JSON.stringify(text)} is refused as ${schema.type}`, async () => {
    assert.equal((await problemsOf(one(schema, text))).length, 1);
  });
}

for (const number of [0, -1.5, 1e21, 5e-324, Number.MAX_VALUE, Number.MIN_SAFE_INTEGER, 0.1 + 0.2]) {
  test(`${number} survives being written as text`, async () => {
    assert.equal((await one(z.number(), String(number))).key, number);
  });
}

test("an empty variable counts as not set", async () => {
  const schema = z.object({ port: port(8080), name: z.string().optional() });
  assert.deepEqual(await loadConfig(schema, [env("X", { X_PORT: "", X_NAME: "", X_TYPO: "" })]), { port: 8080 });
});

test("variables of other programs are ignored", async () => {
  assert.deepEqual(await loadConfig(z.object({}), [env("ORDERS", { ORDER_X: "1", ORDERS: "1", PATH: "/" })]), {});
});

test("a _FILE variable names a file with the secret, whose last line break is removed", async () => {
  using dir = folder();
  writeFileSync(dir.at("token"), "hunter2\nsecond line\n");
  const config = await loadConfig(z.object({ token: secret() }), [env("X", { X_TOKEN_FILE: dir.at("token") })]);
  assert.equal(config.token.reveal(), "hunter2\nsecond line");
});

for (const { name, environment, key, expected } of [
  {
    name: "a file that is missing",
    environment: { X_TOKEN_FILE: "{dir}/none" },
    key: "token",
    expected: /a file that can be read \(ENOENT\)/,
  },
  {
    name: "a folder",
    environment: { X_TOKEN_FILE: "{dir}/folder" },
    key: "token",
    expected: /a file that can be read \(EISDIR\)/,
  },
  {
    name: "a file too large for a value",
    environment: { X_TOKEN_FILE: "{dir}/large" },
    key: "token",
    expected: /at most 65536 bytes/,
  },
  {
    name: "a value beside a file",
    environment: { X_TOKEN_FILE: "{dir}/large", X_TOKEN: "t" },
    key: "token",
    expected: /only one/,
  },
  {
    name: "a file for no setting",
    environment: { X_TOKE_FILE: "x", X_TOKEN: "t" },
    key: "X_TOKE_FILE",
    expected: /did you mean X_TOKEN_FILE/,
  },
]) {
  test(`${name} is a problem`, async () => {
    using dir = folder();
    mkdirSync(dir.at("folder"));
    writeFileSync(dir.at("large"), "x".repeat(70_000));
    const there = Object.fromEntries(
      Object.entries(environment).map(([name, text]) => [name, text.replace("{dir}", dir.path)]),
    );
    const [problem] = await problemsOf(loadConfig(z.object({ token: secret() }), [env("X", there)]));
    assert.equal(problem?.key, key);
    assert.match(problem?.expected ?? "", expected);
  });
}

test("a setting whose name ends in file is not read as a file", async () => {
  const schema = z.object({ cert: z.string().optional(), certFile: z.string() });
  assert.deepEqual(await loadConfig(schema, [env("X", { X_CERT_FILE: "/etc/cert" })]), { certFile: "/etc/cert" });
});

test("variables that Kubernetes adds for a Service of the same name are ignored", async () => {
  const added = {
    ORDERS_SERVICE_HOST: "10.0.0.7",
    ORDERS_SERVICE_PORT: "50052",
    ORDERS_SERVICE_PORT_GRPC: "50052",
    ORDERS_PORT: "tcp://10.0.0.7:50052",
    ORDERS_PORT_50052_TCP: "tcp://10.0.0.7:50052",
    ORDERS_PORT_50052_TCP_PROTO: "tcp",
    ORDERS_PORT_50052_TCP_PORT: "50052",
    ORDERS_PORT_50052_TCP_ADDR: "10.0.0.7",
    ORDERS_DB_SERVICE_HOST: "10.0.0.8",
    ORDERS_DB_PORT: "tcp://10.0.0.8:5432",
  };
  assert.deepEqual(await loadConfig(z.object({ port: port(50_052) }), [env("ORDERS", added)]), { port: 50_052 });
  assert.equal(isServiceLink("ORDERS_PORT", "50052"), false);
  assert.equal(isServiceLink("ORDERS_HTTP_PORT", "8080"), false);
  assert.equal(isServiceLink("ORDERS_DATABASE_URL", "tcp://x"), false);
});

test("two settings that share a variable are refused as an error in the schema", async () => {
  const schema = z.object({ drainMs: z.number(), drain: z.object({ ms: z.number() }) });
  await assert.rejects(loadConfig(schema, [env("X", {})]), TypeError);
});
