import assert from "node:assert/strict";
import { test } from "node:test";
import { isServiceError } from "@plumbline/errors";
import { fromKafka } from "./errors.ts";

const sasl = { mechanism: "plain", username: () => "orders", password: "hunter2" } as const;

/** Returns the message for an error of kafkajs, which has no code for a login. */
function messageOf(error: Error): string {
  const translated = fromKafka(error, "", { brokers: ["kafka:9092"], sasl });
  assert.ok(isServiceError(translated));
  assert.equal(translated.code, "unavailable");
  assert.doesNotMatch(String(translated.stack), /hunter2/);
  return translated.message;
}

const refused = /^Kafka refuses the login of user "orders" by plain at kafka:9092: check sasl\.username and/;

test("a login that Kafka refuses is no connection that ends while it logs in", () => {
  const login = (why: string) => new Error(`SASL PLAIN authentication failed: ${why}`);
  assert.match(messageOf(login("Authentication failed: Invalid username or password")), refused);
  assert.match(messageOf(login("the password is out of date")), refused, "an authenticator of one's own");
  const others = ["Closed connection", "Connection timeout", "Request SaslAuthenticate(key: 36, version: 1) timed out"];
  for (const why of others) assert.equal(messageOf(login(why)), "Kafka did not answer at kafka:9092");
});

test("a mechanism that the broker does not have, and a refusal that is wrapped, are refused logins", () => {
  assert.match(messageOf(new Error("SASL PLAIN mechanism is not supported by the server")), refused);
  assert.match(messageOf(Object.assign(new Error("no"), { type: "UNSUPPORTED_SASL_MECHANISM" })), refused);
  const cause = new Error("SASL SCRAM SHA512 authentication failed: Authentication failed");
  assert.match(messageOf(new Error("retries exceeded", { cause })), refused);
});

test("without options a refused login says what to check", () => {
  const error = fromKafka(Object.assign(new Error("no"), { apiId: "SASL_AUTHENTICATION_FAILED" }), "topic");
  assert.match(String(error), /Kafka refuses the login: check sasl\.username and sasl\.password/);
});
