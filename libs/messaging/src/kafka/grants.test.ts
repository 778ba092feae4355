/** Users with the rights of one service, against a broker that allows nothing else. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { type SaslKafka, startSaslKafka, testKafka, whyNoKafka, whyNoSaslKafka } from "@plumbline/tools-engines";
import kafkajs from "kafkajs";
import { alterScramUsers } from "../../test/scram-users.ts";
import type { Broker } from "../broker.ts";
import { group, message, messages, Received } from "../conformance/test-context.ts";
import { conformance } from "../conformance.ts";
import { grantTopics } from "../connect-broker.ts";
import { type Rights, rightsOf } from "../rights.ts";
import { openKafkaBroker } from "./broker.ts";
import { aclsOf } from "./grants.ts";
import { type KafkaClientName, kafkaClients } from "./options.ts";

const skip = whyNoSaslKafka() ?? false;
const mechanism = "scram-sha-512";
const maxMessageBytes = 100_000;
const password = "a password of the test";
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
let kafka: SaslKafka;
let admin: Broker;

before(async () => {
  if (skip !== false) return;
  kafka = stack.use(await startSaslKafka({ acls: true }));
  admin = stack.use(await openKafkaBroker({ brokers: [kafka.brokers], clientId: "admin" }, noTelemetry));
});

const withoutAcls = whyNoKafka() ?? false;

test("a broker that takes no ACLs is named with what to do", { skip: withoutAcls, timeout: 60_000 }, async () => {
  const options = { adapter: "kafka", kafka: { brokers: [await testKafka()], clientId: "admin" } } as const;
  const rights = { publishes: ["a"], consumes: [] };
  const granting = grantTopics(options, "orders", rights, noTelemetry);
  await assert.rejects(granting, { code: "failed_precondition", reason: "KAFKA_WITHOUT_ACLS" });
});

async function openUser(client: KafkaClientName, rights: Rights): Promise<Broker> {
  const username = `user-${randomUUID()}`;
  await alterScramUsers(kafka.brokers, mechanism, { add: { [username]: password } });
  const options = { adapter: "kafka", kafka: { brokers: [kafka.brokers], clientId: "admin" } } as const;
  await grantTopics(options, username, rights, noTelemetry);
  const sasl = { mechanism, username, password } as const;
  return await openKafkaBroker(
    { client, brokers: [kafka.saslBrokers], clientId: "test", sessionMs: 6_000, sasl },
    noTelemetry,
  );
}

for (const client of kafkaClients) {
  test(`${client}: each user publishes its own topics and consumes its own subscriptions, and forges nothing (negative 10)`, {
    skip,
    timeout: 90_000,
  }, async () => {
    const id = randomUUID();
    const [ordersEvents, fulfilmentEvents] = [`orders-${id}`, `fulfilment-${id}`];
    const retryDelaysMs = [50];
    const ofOrders = rightsOf({
      publishes: ordersEvents,
      consumes: { topic: fulfilmentEvents, group: "orders" },
      retryDelaysMs,
    });
    const ofWorker = rightsOf({
      publishes: fulfilmentEvents,
      consumes: { topic: ordersEvents, group: "worker" },
      retryDelaysMs,
    });
    await admin.createTopics([...ofOrders.publishes, ...ofWorker.publishes], { partitions: 2 });
    await using orders = await openUser(client, ofOrders);
    await using worker = await openUser(client, ofWorker);

    const received = new Received();
    await using _all = await admin.subscribe(fulfilmentEvents, received.handler(), group("audit"));
    const ofGroup = new Received();
    await using _own = await worker.subscribe(ordersEvents, ofGroup.handler(), group("worker"));
    for (const topic of ofOrders.publishes) await orders.publish(topic, [message("a")]);
    for (const topic of ofWorker.publishes) await worker.publish(topic, [message("a")]);
    // An inbox asks this of each topic that its messages pass.
    for (const topic of [ordersEvents, ...ofWorker.publishes]) assert.ok((await worker.retentionMs(topic)) > 0, topic);
    await assert.rejects(worker.publish(ordersEvents, [message("forged")]), { code: "permission_denied" });
    const forged = message("forged");
    await assert.rejects(orders.publish(fulfilmentEvents, [forged]), { code: "permission_denied" });
    await assert.rejects(worker.createTopics([`new-${id}`], { partitions: 1 }), { code: "permission_denied" });

    const stolen = new Received();
    await using _stolen = await orders.subscribe(ordersEvents, stolen.handler(), group("worker"));
    const [events, answers] = [messages(10), messages(10)];
    await orders.publish(ordersEvents, events);
    await worker.publish(fulfilmentEvents, answers);
    await ofGroup.all(events);
    await received.all(answers);
    assert.deepEqual(stolen.ids, []);
    assert.ok(!received.has(forged));
  });
}

/** Opens a broker whose user has the operations of one service, on all topics and groups. */
async function openAnywhere(client: KafkaClientName): Promise<Broker> {
  const acl = aclsOf("anywhere", { publishes: ["*"], consumes: [{ topic: "*", group: "*" }] }).map((entry) =>
    entry.resourceType === kafkajs.AclResourceTypes.GROUP ? { ...entry, resourceName: "*" } : entry,
  );
  const changes = new kafkajs.Kafka({ brokers: [kafka.brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await changes.connect();
  await changes.createAcls({ acl });
  await changes.disconnect();
  await alterScramUsers(kafka.brokers, mechanism, { add: { anywhere: password } });
  const sasl = { mechanism, username: "anywhere", password } as const;
  const broker = await openKafkaBroker(
    { client, brokers: [kafka.saslBrokers], clientId: "conformance", sessionMs: 6_000, maxMessageBytes, sasl },
    noTelemetry,
  );
  const createTopics: Broker["createTopics"] = async (topics, options) => {
    await broker.ping(); // Rejects once it is closed.
    await admin.createTopics(topics, options);
  };
  return new Proxy(broker, {
    get(target, key) {
      if (key === "createTopics") return createTopics;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

if (skip === false) {
  for (const client of kafkaClients) {
    conformance(
      `kafka through ${client}, as a user of one service,`,
      {
        ordered: true,
        persistent: true,
        maxMessageBytes,
        breakConnections: { off: "broken connections are tested without a login" },
      },
      () => openAnywhere(client),
    );
  }
}
