import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";
import { ServiceError } from "@plumbline/errors";
import * as fc from "fast-check";
import { Memory } from "../test/memory.ts";
import type { LogLevel } from "./logger.ts";
import { winstonLogger } from "./winston-logger.ts";

function open(level: LogLevel = "info") {
  const out = new Memory();
  const { logger, flush } = winstonLogger({ service: "orders", level, destination: out, current: () => undefined });
  return { out, logger, flush };
}

test("a line is one JSON object with time, level, service, message and fields", () => {
  const { out, logger } = open();
  logger.info("order placed", { orderId: "o-1", items: 2 });
  assert.equal(out.raw.length, 1);
  assert.match(out.raw[0] ?? "", /^\{.*\}\n$/);
  const { time, ...line } = out.last;
  assert.deepEqual(line, { level: "info", service: "orders", message: "order placed", orderId: "o-1", items: 2 });
  assert.equal(new Date(String(time)).toISOString(), time);
});

for (const [least, want] of [
  ["debug", ["debug", "info", "warn", "error"]],
  ["info", ["info", "warn", "error"]],
  ["warn", ["warn", "error"]],
  ["error", ["error"]],
] as const) {
  test(`at level ${least} it writes ${want.join(", ")}`, () => {
    const { out, logger } = open(least);
    logger.debug("m");
    logger.info("m");
    logger.warn("m");
    logger.error("m");
    assert.deepEqual(
      out.lines.map((line) => line["level"]),
      want,
    );
  });
}

test("the fields of a line below the level are not read", () => {
  const { logger } = open();
  let reads = 0;
  const fields = {
    get expensive() {
      return ++reads;
    },
  };
  logger.debug("m", fields);
  assert.equal(reads, 0);
  logger.info("m", fields);
  assert.equal(reads, 1);
});

test("fields named like the line's own are renamed", () => {
  const { out, logger } = open();
  const forged = {
    time: 1,
    level: "debug",
    service: "x",
    message: "x",
    trace_id: "x",
    span_id: "x",
    "error.type": "x",
  };
  logger.info("m", forged);
  const line = out.last;
  assert.equal(line["level"], "info");
  assert.equal(line["message"], "m");
  assert.equal(line["trace_id"], undefined);
  assert.equal(line["error.type"], undefined);
  assert.equal(line["fields.message"], "x");
  assert.equal(line["fields.error.type"], "x");
});

test("fields with a meaning to winston are fields like any other", () => {
  const { out, logger } = open();
  logger.info("m %s", {
    exception: true,
    silent: true,
    splat: ["a"],
    stack: "s",
    [Symbol.for("level") as unknown as string]: "error",
  });
  assert.equal(out.last["message"], "m %s");
  assert.equal(out.last["exception"], true);
  assert.equal(out.last["stack"], "s");
});

test("a child adds its fields to its own lines only, and the nearest value wins", () => {
  const { out, logger } = open();
  const child = logger.child({ requestId: "r", part: "a" }).child({ part: "b" });
  child.info("m", { x: 1 });
  child.error("m", new Error("e"));
  child.info("m", { part: "c" });
  logger.info("m");
  assert.deepEqual(
    out.lines.map((line) => [line["requestId"], line["part"]]),
    [
      ["r", "b"],
      ["r", "b"],
      ["r", "c"],
      [undefined, undefined],
    ],
  );
});

test("an error is logged with type, message, stack, code, reason and causes", () => {
  const { out, logger } = open();
  const root = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const error = new ServiceError("unavailable", "the database is down", {
    cause: new TypeError("no pool", { cause: root }),
    reason: "DB_DOWN",
  });
  logger.error("request failed", error, { method: "PlaceOrder" });
  const line = out.last;
  assert.equal(line["message"], "request failed");
  assert.equal(line["method"], "PlaceOrder");
  assert.equal(line["error.type"], "ServiceError");
  assert.equal(line["error.message"], "the database is down");
  assert.equal(line["error.code"], "unavailable");
  assert.equal(line["error.reason"], "DB_DOWN");
  assert.match(String(line["error.stack"]), /^ServiceError: the database is down\n {4}at /);
  assert.deepEqual(line["error.causes"], [
    { type: "TypeError", message: "no pool" },
    { type: "Error", message: "connect ECONNREFUSED", code: "ECONNREFUSED" },
  ]);
});

class PaymentRefused extends Error {}

for (const { name, error, type, message } of [
  { name: "text", error: "text", type: "string", message: "text" },
  { name: "null", error: null, type: "null", message: "null" },
  { name: "an object", error: { code: 7 }, type: "object", message: '{"code":7}' },
  { name: "an error of a class without a name", error: new PaymentRefused("p"), type: "PaymentRefused", message: "p" },
  { name: "an abort", error: new DOMException("stop", "AbortError"), type: "AbortError", message: "stop" },
  {
    name: "an error whose message is no string",
    error: Object.assign(new Error("x"), { message: { a: 1 } }),
    type: "Error",
    message: '{"a":1}',
  },
]) {
  test(`${name} that was thrown has a type and a message`, () => {
    const { out, logger } = open();
    logger.error("m", error);
    assert.equal(out.last["error.type"], type);
    assert.equal(out.last["error.message"], message);
  });
}

test("cyclic causes and aggregates are bounded", () => {
  const { out, logger } = open();
  const round = new Error("a");
  round.cause = new Error("b", { cause: round });
  logger.error("m", round);
  assert.deepEqual(out.last["error.causes"], [{ type: "Error", message: "b" }]);
  const deep = Array.from({ length: 1_000 }).reduce<Error>((cause) => new Error("c", { cause }), new Error("root"));
  logger.error("m", deep);
  assert.equal((out.last["error.causes"] as unknown[]).length, 8);
  logger.error(
    "m",
    new AggregateError(
      Array.from({ length: 1_000 }, (_, i) => new Error(String(i))),
      "all",
    ),
  );
  assert.equal((out.last["error.causes"] as unknown[]).length, 8);
  logger.error("m", new SuppressedError(new Error("closing"), new Error("working"), "both"));
  assert.deepEqual(out.last["error.causes"], [
    { type: "Error", message: "closing" },
    { type: "Error", message: "working" },
  ]);
});

test("neither a Secret nor the password of a URL is logged", () => {
  const { out, logger } = open();
  const secret = { toJSON: () => "[secret]", value: "hunter2" };
  logger.info("m", { secret, deep: [{ secret }], url: "postgres://orders:hunter2@db:5432/orders" });
  logger.error(
    "cannot connect to amqp://u:hunter2@mq",
    new Error("postgres://orders:hunter2@db refused", {
      cause: new Error("at http://a:hunter2@b/c and http://d:hunter2@e"),
    }),
  );
  assert.equal(out.lines[0]?.["secret"], "[secret]");
  assert.equal(out.lines[0]?.["url"], "postgres://orders:[secret]@db:5432/orders");
  assert.doesNotMatch(out.raw.join(""), /hunter2/);
});

test("logging never throws for any value", () => {
  const { out, logger } = open();
  const hostile = {
    get x(): string {
      throw new Error("no");
    },
  };
  const proxy = new Proxy(
    {},
    {
      ownKeys() {
        throw new Error("no");
      },
    },
  );
  const error = new Error("e");
  Object.defineProperty(error, "message", {
    get() {
      throw new Error("no");
    },
  });
  for (const field of [
    hostile,
    proxy,
    {
      toJSON() {
        throw new Error("no");
      },
    },
  ])
    logger.info("m", { field });
  logger.info("m", hostile);
  logger.error("m", error);
  logger.error("m", proxy);
  logger.info(undefined as unknown as string, null as unknown as Record<string, unknown>);
  assert.equal(out.lines.length, 7);
});

test("a line after the flush is still written", async () => {
  const { out, logger, flush } = open();
  logger.info("one");
  await flush();
  logger.info("two");
  assert.equal(out.lines.length, 2);
  assert.doesNotMatch(inspect(out.raw), /undefined/);
});

test("any value is logged as one line of well-formed JSON, with the given message", () => {
  const messages = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\ud800", 'a "b"', "\n", "c\\"));
  const anything = fc.anything({ withMap: true, withSet: true, withBigInt: true, withDate: true });
  fc.assert(
    fc.property(
      messages,
      fc.dictionary(fc.string({ unit: "binary" }), anything),
      anything,
      (message, fields, error) => {
        const out = new Memory();
        const current = () => ({ traceId: "a".repeat(32), spanId: "b".repeat(16) });
        const { logger } = winstonLogger({ service: 'a "service"', level: "info", destination: out, current });
        logger.child(fields).error(message, error, fields);
        assert.equal(out.raw.length, 1);
        assert.match(out.raw[0] ?? "", /^\{.*\}\n$/);
        assert.ok(out.raw[0]?.isWellFormed());
        assert.equal(out.last["service"], 'a "service"');
        assert.equal(out.last["trace_id"], "a".repeat(32));
        if (!message.includes("://")) assert.equal(out.last["message"], message.toWellFormed());
        assert.equal(JSON.stringify(out.last), out.raw[0]?.trimEnd(), "no key is there twice");
      },
    ),
  );
});
