import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaultKafkaClient } from "@plumbline/messaging/settings";
import { helpOf, readCommand, UsageError } from "@plumbline/tools-stack/command";
import { call } from "../test/operator.ts";
import { spec, toCommand } from "./options.ts";

function parse(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const line = readCommand(spec, args);
  assert.ok(line);
  return toCommand(line, environment);
}

test("--help lists the commands", () => assert.match(helpOf(spec), /dlq replay/));

for (const { args, says } of [
  { args: [], says: /the command is dlq list, dlq show, dlq replay or lag, not ""/ },
  { args: ["dlq", "drop"], says: /not "dlq drop"/ },
  { args: ["dlq", "show"], says: /takes one message id/ },
  { args: ["dlq", "list", "worker"], says: /takes no argument, not "worker"/ },
  { args: ["dlq", "list", "--dry-run"], says: /--dry-run belongs to dlq replay/ },
  { args: ["dlq", "replay", "--all"], says: /--all belongs to dlq list/ },
  { args: ["dlq", "replay", "--dryrun"], says: /there is no option --dryrun; did you mean --dry-run\?/ },
  { args: ["lag", "--since", "2026-11-22"], says: /--since does not belong to lag/ },
  { args: ["dlq", "list", "--limit", "0"], says: /--limit takes a whole number from 1 to 1000, not "0"/ },
  { args: ["dlq", "list", "--since", "yesterday"], says: /--since takes a time/ },
  { args: ["lag", "--adapter", "redis"], says: /postgres or kafka, not "redis"/ },
  { args: ["lag", "--adapter", "kafka", "--client", "rdkafka"], says: /kafkajs or platformatic, not "rdkafka"/ },
  { args: ["lag", "--client", "kafkajs"], says: /--client belongs to --adapter kafka/ },
  { args: ["lag", "--brokers", "a:1"], says: /--brokers belongs to --adapter kafka/ },
]) {
  test(`"${args.join(" ")}" is refused`, () => {
    assert.throws(
      () => parse(args),
      (error: Error) => error instanceof UsageError && says.test(error.message),
    );
  });
}

test("an option wins over the environment, which wins over the stack of npm start", () => {
  const url = { EVENTS_MESSAGING_URL: "postgresql://b/b" };
  const connection = (args: string[], environment = {}) => parse(["lag", ...args], environment).connection;
  assert.deepEqual(connection(["--url", "postgresql://a/a"], url), { adapter: "postgres", url: "postgresql://a/a" });
  assert.deepEqual(connection([], url), { adapter: "postgres", url: "postgresql://b/b" });
  assert.deepEqual(connection([]), { adapter: "postgres", url: "postgresql://messaging@127.0.0.1:54329/messaging" });
  const kafka = ["--adapter", "kafka"];
  const client = defaultKafkaClient;
  const sasl = undefined;
  assert.deepEqual(connection(kafka), { adapter: "kafka", client, brokers: ["127.0.0.1:19092"], sasl });
  assert.deepEqual(connection(kafka, { EVENTS_KAFKA_BROKERS: "a:1, b:2", EVENTS_KAFKA_CLIENT: "kafkajs" }), {
    adapter: "kafka",
    client: "kafkajs",
    brokers: ["a:1", "b:2"],
    sasl,
  });
});

test("a user of Kafka has its password in a file", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "events-login-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "password");
  writeFileSync(file, "p w\n");
  const sasl = (environment: NodeJS.ProcessEnv) => {
    const { connection } = parse(["lag", "--adapter", "kafka"], environment);
    return connection.adapter === "kafka" ? connection.sasl : undefined;
  };
  const login = { EVENTS_KAFKA_SASL_USERNAME: "u", EVENTS_KAFKA_SASL_PASSWORD_FILE: file };
  assert.equal(sasl({}), undefined);
  assert.deepEqual(sasl(login), { mechanism: "scram-sha-512", username: "u", password: "p w" });
  assert.equal(sasl({ ...login, EVENTS_KAFKA_SASL_MECHANISM: "plain" })?.mechanism, "plain");
  for (const [environment, says] of [
    [{ EVENTS_KAFKA_SASL_USERNAME: "u" }, /belong together/],
    [{ EVENTS_KAFKA_SASL_PASSWORD_FILE: file }, /belong together/],
    [{ ...login, EVENTS_KAFKA_SASL_PASSWORD_FILE: join(folder, "none") }, /SASL_PASSWORD_FILE: .*ENOENT/],
    [{ ...login, EVENTS_KAFKA_SASL_MECHANISM: "x" }, /SASL_MECHANISM takes plain, scram/],
  ] as const) {
    assert.throws(() => sasl(environment), says);
  }
});

test("a broker that does not answer gives one line that names what to try", async () => {
  const { code, err } = await call(["lag", "--url", "postgresql://nobody@127.0.0.1:1/none"]);
  assert.equal(code, 1);
  assert.match(err, /start one with npm start/);
});
