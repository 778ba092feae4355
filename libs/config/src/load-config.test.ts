import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import test from "node:test";
import { inspect } from "node:util";
import { z } from "zod";
import { folder } from "../test/folder.ts";
import { problemsOf } from "../test/problems.ts";
import { ConfigError } from "./config-error.ts";
import { loadConfig } from "./load-config.ts";
import type { Secret } from "./secret.ts";
import { env } from "./sources/env.ts";
import { file } from "./sources/file.ts";
import { durationMs, port, secret } from "./types.ts";

const Orders = z.object({
  http: z.object({ port: port(8080), drainMs: durationMs(0) }),
  database: z.object({ url: secret(), poolSize: z.int().min(1).max(100).default(10) }),
});
const url = "postgres://orders:hunter2@localhost/orders";

test("later sources win for each setting: defaults, file, environment", async () => {
  using dir = folder();
  writeFileSync(dir.at("orders.yaml"), "http:\n  port: 1\n  drainMs: 2\n");
  const config = await loadConfig(Orders, [
    file(dir.at("orders.yaml")),
    env("ORDERS", { ORDERS_HTTP_PORT: "3", ORDERS_DATABASE_URL: url }),
  ]);
  assert.deepEqual(config.http, { port: 3, drainMs: 2 });
  assert.equal(config.database.poolSize, 10);
  assert.equal(config.database.url.reveal(), url);
});

test("all problems are listed at once, each with its key, source and expected value", async () => {
  using dir = folder();
  const path = dir.at("orders.yaml");
  writeFileSync(path, "http:\n  prot: 1\n  port: eighty\n  drainMs: -1\n");
  const problems = await problemsOf(
    loadConfig(Orders, [file(path), env("ORDERS", { ORDERS_DATABASE_POOL_SIZE: "1.5", ORDERS_DATABSE_URL: "x" })]),
  );
  assert.deepEqual(problems, [
    { key: "http.prot", source: `${path}:2`, expected: "a known setting (did you mean http.port?)" },
    {
      key: "ORDERS_DATABSE_URL",
      source: "environment",
      expected: "a known variable (did you mean ORDERS_DATABASE_URL?)",
    },
    { key: "http.port", source: `${path}:3`, expected: 'a whole number from 0 to 65535, not "eighty"' },
    { key: "http.drainMs", source: `${path}:4`, expected: "a whole number from 0 to 2147483647, not -1" },
    {
      key: "database.url",
      source: `not set: ORDERS_DATABASE_URL, or database.url in ${path}`,
      expected: "text that is not empty",
    },
    {
      key: "database.poolSize",
      source: "ORDERS_DATABASE_POOL_SIZE",
      expected: "a whole number from 1 to 100, not 1.5",
    },
  ]);
});

test("the message of a ConfigError has a line per problem, and printing it shows no stack", async () => {
  const error = new ConfigError([{ key: "a.b", source: "A_B", expected: "text" }]);
  assert.equal(error.message, "the configuration has a problem\n  a.b (A_B): expected text");
  assert.equal(inspect(error), `ConfigError: ${error.message}`);
  const many = new ConfigError(Array.from({ length: 60 }, () => ({ key: "k", source: "s", expected: "e" })));
  assert.equal(many.problems.length, 60);
  assert.equal(many.message.split("\n").length, 52, "a huge file must not print a huge error");
});

test("no problem shows a value that may be a secret", async () => {
  using dir = folder();
  writeFileSync(dir.at("orders.yaml"), "token: hunter2\nurl: hunter2\npattern: hunter2\npassword: 12345678\n");
  const schema = z.object({
    token: secret().refine(() => false, "a token with a checksum"),
    url: z.url(),
    pattern: z.string().regex(/^x/, "text that begins with x"),
    password: secret(),
  });
  const problems = await problemsOf(loadConfig(schema, [file(dir.at("orders.yaml"))]));
  assert.deepEqual(
    problems.map(({ key, expected }) => [key, expected]),
    [
      ["token", "a token with a checksum"],
      ["url", "a URL"],
      ["pattern", "text that begins with x"],
      ["password", "text that is not empty"],
    ],
  );
  assert.doesNotMatch(inspect(problems), /hunter2|12345678/);
});

test("the result is typed and deeply frozen", async () => {
  const schema = z.object({
    list: z.array(z.object({ name: z.string() })).default([{ name: "a" }]),
    map: z.record(z.string(), z.number()).default({ a: 1 }),
  });
  const config = await loadConfig(schema, []);
  const name: string | undefined = config.list[0]?.name;
  assert.equal(name, "a");
  // @ts-expect-error: read-only for the compiler too.
  assert.throws(() => (config.list[0].name = "b"), TypeError);
  // @ts-expect-error: read-only for the compiler too.
  assert.throws(() => (config.map.a = 2), TypeError);
});

test("a default is not shared between two loads", async () => {
  const schema = z.object({ list: z.array(z.string()).default(["a"]) });
  await loadConfig(schema, []);
  assert.deepEqual((await loadConfig(schema, [])).list, ["a"]);
  assert.equal(Object.isFrozen(schema.shape.list.parse(undefined)), false);
});

test("a secret keeps its type through the read-only result", async () => {
  const config = await loadConfig(z.object({ token: secret() }), [env("X", { X_TOKEN: "t" })]);
  const token: Secret = config.token;
  assert.equal(token.reveal(), "t");
});

test("the sections of an alternative are checked as the chosen one", async () => {
  const schema = z.object({
    messaging: z.discriminatedUnion("adapter", [
      z.object({ adapter: z.literal("kafka"), brokers: z.array(z.string()).min(1) }),
      z.object({ adapter: z.literal("postgres"), url: secret() }),
    ]),
  });
  const load = (environment: Record<string, string>) => loadConfig(schema, [env("W", environment)]);
  const kafka = await load({ W_MESSAGING_ADAPTER: "kafka", W_MESSAGING_BROKERS: "a:1, b:2" });
  assert.deepEqual(kafka.messaging, { adapter: "kafka", brokers: ["a:1", "b:2"] });
  assert.deepEqual(await problemsOf(load({ W_MESSAGING_ADAPTER: "postgres" })), [
    { key: "messaging.url", source: "not set: W_MESSAGING_URL", expected: "text that is not empty" },
  ]);
  const [unset] = await problemsOf(load({}));
  assert.deepEqual(unset, {
    key: "messaging.adapter",
    source: "not set: W_MESSAGING_ADAPTER",
    expected: "kafka or postgres",
  });
});

test("an optional section is absent until one of its settings is set, and then it is checked", async () => {
  const schema = z.object({ tls: z.object({ cert: z.string(), key: secret() }).optional() });
  assert.deepEqual(await loadConfig(schema, [env("X", {})]), {});
  assert.deepEqual(
    (await problemsOf(loadConfig(schema, [env("X", { X_TLS_CERT: "c" })]))).map(({ key }) => key),
    ["tls.key"],
  );
});

test("a rule over several settings is checked last and reported with its own text", async () => {
  const schema = z
    .object({ drainMs: durationMs(0), graceMs: durationMs(10) })
    .refine((c) => c.drainMs <= c.graceMs, "drainMs within graceMs");
  assert.deepEqual(await problemsOf(loadConfig(schema, [env("X", { X_DRAIN_MS: "20" })])), [
    { key: "*", source: "environment X_*", expected: "drainMs within graceMs" },
  ]);
});

test("a rule on a missing setting is reported with its own text", async () => {
  const schema = z
    .object({ adapter: z.string().default("postgres"), url: secret().optional() })
    .refine(({ url }) => url !== undefined, { path: ["url"], message: "required by the adapter postgres" });
  assert.deepEqual(await problemsOf(loadConfig(schema, [env("X", {})])), [
    { key: "url", source: "not set: X_URL", expected: "required by the adapter postgres" },
  ]);
});

test("a rule whose text begins with expected is reported with the word once", async () => {
  const schema = z.object({ list: z.string().refine((list) => list !== "x", "expected a list of addresses") });
  const error = await loadConfig(schema, [env("X", { X_LIST: "x" })]).catch((reason: unknown) => reason);
  assert.match(String(error), /list \(X_LIST\): expected a list of addresses$/);
});

test("an unreadable file is one problem, not one for each of its settings", async () => {
  using dir = folder();
  const problems = await problemsOf(loadConfig(Orders, [file(dir.at("missing.yaml")), env("ORDERS", {})]));
  assert.deepEqual(problems, [
    { key: "*", source: dir.at("missing.yaml"), expected: "a file that can be read (ENOENT)" },
  ]);
});

test("reading is aborted by the signal", async () => {
  await assert.rejects(loadConfig(Orders, [file("x.yaml")], { signal: AbortSignal.abort(new Error("stop")) }), /stop/);
});
