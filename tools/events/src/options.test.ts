import assert from "node:assert/strict";
import { test } from "node:test";
import { call } from "../test/operator.ts";
import { parseCommand } from "./options.ts";

test("--help says what there is", async () => {
  const { code, out } = await call(["--help"]);
  assert.equal(code, 0);
  assert.match(out, /dlq replay/);
});

for (const { args, says } of [
  { args: [], says: /dlq list, dlq show, dlq replay, lag/ },
  { args: ["dlq", "drop"], says: /there is no command "dlq drop"/ },
  { args: ["dlq", "show"], says: /takes one message id/ },
  { args: ["dlq", "list", "worker"], says: /takes no argument, got "worker"/ },
  { args: ["dlq", "list", "--dry-run"], says: /--dry-run belongs to dlq replay/ },
  { args: ["dlq", "replay", "--all"], says: /--all belongs to dlq list/ },
  { args: ["dlq", "replay", "--dryrun"], says: /--dryrun/ },
  { args: ["lag", "--since", "2026-11-22"], says: /--since does not belong to lag/ },
  { args: ["dlq", "list", "--limit", "0"], says: /--limit takes a whole number from 1 to 1000, got "0"/ },
  { args: ["dlq", "list", "--since", "yesterday"], says: /--since takes a time/ },
  { args: ["lag", "--adapter", "redis"], says: /postgres or kafka, got "redis"/ },
  { args: ["lag", "--brokers", "a:1"], says: /--brokers belongs to --adapter kafka/ },
]) {
  test(`"${args.join(" ")}" is refused with exit code 2 before anything is connected to`, async () => {
    const { code, out, err } = await call(args);
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, says);
  });
}

test("a flag goes before the environment, and that before the stack of npm start", () => {
  const url = { EVENTS_MESSAGING_URL: "postgresql://b/b" };
  const connection = (args: string[], environment = {}) => parseCommand(["lag", ...args], environment)?.connection;
  assert.deepEqual(connection(["--url", "postgresql://a/a"], url), { adapter: "postgres", url: "postgresql://a/a" });
  assert.deepEqual(connection([], url), { adapter: "postgres", url: "postgresql://b/b" });
  assert.deepEqual(connection([]), { adapter: "postgres", url: "postgresql://messaging@127.0.0.1:54329/messaging" });
  const kafka = ["--adapter", "kafka"];
  assert.deepEqual(connection(kafka), { adapter: "kafka", brokers: ["127.0.0.1:19092"] });
  assert.deepEqual(connection(kafka, { EVENTS_KAFKA_BROKERS: "a:1, b:2" }), {
    adapter: "kafka",
    brokers: ["a:1", "b:2"],
  });
});

test("a broker that does not answer is said in one line that names what to try", async () => {
  const { code, err } = await call(["lag", "--url", "postgresql://nobody@127.0.0.1:1/none"]);
  assert.equal(code, 1);
  assert.match(err, /is it running\? npm start runs one/);
});
