/** Clients that log in, against a broker that asks for it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { isServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, type SaslKafka, saslUser, startSaslKafka, whyNoSaslKafka } from "@plumbline/tools-engines";
import { alterScramUsers, type ScramMechanism, type UserChange } from "../../test/scram-users.ts";
import { createMessage } from "../message.ts";
import { openKafkaBroker } from "./broker.ts";
import { kafkaClients, type SaslOptions } from "./options.ts";

const skip = whyNoSaslKafka() ?? false;
let kafka: SaslKafka;

before(async () => {
  if (skip === false) kafka = await startSaslKafka();
});
after(async () => {
  if (skip === false) await kafka[Symbol.asyncDispose]();
});

const open = async (client: (typeof kafkaClients)[number], sasl: SaslOptions) =>
  await openKafkaBroker(
    { client, brokers: [kafka.saslBrokers], clientId: "login", sessionMs: 6_000, sasl },
    noTelemetry,
  );

const rotations = 3;

const alterUsers = (mechanism: ScramMechanism, change: UserChange) => alterScramUsers(kafka.brokers, mechanism, change);

for (const client of kafkaClients) {
  for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"] as const) {
    test(`${client} logs in by ${mechanism}, and a wrong password is an error that does not show it`, {
      skip,
      timeout: 60_000,
    }, async () => {
      const { username, password } = mechanism === "plain" ? saslUser : { username: randomUUID(), password: "p-right" };
      if (mechanism !== "plain") await alterUsers(mechanism, { add: { [username]: password } });
      await using broker = await open(client, { mechanism, username, password });
      await broker.ping();
      const error: unknown = await open(client, { mechanism, username, password: "hunter2" }).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(isServiceError(error));
      assert.deepEqual([error.code, error.reason], ["unavailable", "KAFKA_LOGIN_REFUSED"]);
      assert.equal(
        error.message,
        `Kafka refuses the login of user "${username}" by ${mechanism} at ${kafka.saslBrokers}: ` +
          "check sasl.username and sasl.password, and that the brokers have the user and the mechanism",
      );
      assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /hunter2/);
    });
  }
}

// At the same time, since each rotation waits until connections have to authenticate again.
describe("users in turns rotate under load", { concurrency: true }, () => {
  for (const client of kafkaClients) {
    test(`through ${client}, no publish fails, and every message arrives`, {
      skip,
      timeout: 120_000,
    }, async (t) => {
      const mechanism = "scram-sha-512";
      const users = [`a-${randomUUID()}`, `b-${randomUUID()}`] as const;
      let current = { username: users[0] as string, password: "first" };
      await alterUsers(mechanism, { add: { [current.username]: current.password } });
      await using broker = await open(client, {
        mechanism,
        username: () => current.username,
        password: () => current.password,
      });
      const topic = `rotation-${randomUUID()}`;
      await broker.createTopics([topic], { partitions: 3 });
      const arrived = new Set<string>();
      await using _subscription = await broker.subscribe(topic, async ({ message }) => void arrived.add(message.id), {
        group: "test",
        concurrency: 4,
      });
      const sent: string[] = [];
      const failures: string[] = [];
      const over = new AbortController();
      using _end = { [Symbol.dispose]: () => over.abort() };
      const load = (async () => {
        while (!over.signal.aborted) {
          const message = createMessage({
            source: "/test",
            type: "test",
            key: randomUUID(),
            contentType: "text/plain",
            data: Buffer.from("x"),
          });
          await broker.publish(topic, [message]).then(
            () => sent.push(message.id),
            (error: unknown) => failures.push(`${String(error)} ${String((error as Error).cause)}`),
          );
        }
      })();
      for (let round = 1; round <= rotations; round++) {
        const count = sent.length;
        await eventually(
          () => sent.length,
          (length) => length > count + 20,
          30_000,
        );
        const old = current;
        const next = { username: users[round % 2] as string, password: `password-${round}` };
        await alterUsers(mechanism, { add: { [next.username]: next.password } });
        current = next;
        await alterUsers(mechanism, { remove: [old.username] });
        // Longer than a connection lasts without authenticating again.
        await new Promise((resolve) => setTimeout(resolve, 13_000));
      }
      over.abort();
      await load;
      t.diagnostic(`${sent.length} sent, ${failures.length} failed`);
      assert.deepEqual(failures, []);
      await eventually(
        () => sent.filter((id) => !arrived.has(id)).length,
        (missing) => missing === 0,
        30_000,
      );
    });
  }
});
