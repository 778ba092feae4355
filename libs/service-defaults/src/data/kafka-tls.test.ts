/** A Kafka that takes TLS with client certificates only, through the settings of a service. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer, type Server } from "node:tls";
import { type Broker, createMessage } from "@plumbline/messaging";
import { type KafkaClientName, kafkaClients } from "@plumbline/messaging/settings";
import { testCa, testClient, testOtherCa, testServer, testStranger } from "@plumbline/rpc/conformance";
import { type Logger, noTelemetry } from "@plumbline/telemetry";
import { eventually, startTlsKafka, type TlsKafka, whyNoSaslKafka } from "@plumbline/tools-engines";
import { openBroker } from "./open-broker.ts";

const skip = whyNoSaslKafka() ?? false;
let kafka: TlsKafka;
const folder = mkdtempSync(join(tmpdir(), "kafka-tls-"));

before(async () => {
  if (skip === false) kafka = await startTlsKafka({ ...testServer, clientCa: testCa });
});
after(async () => {
  if (skip === false) await kafka[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function fileOf(text: string): string {
  const path = join(folder, randomUUID());
  writeFileSync(path, text);
  return path;
}

interface Files {
  readonly caFile: string;
  readonly certificateFile?: string;
  readonly keyFile?: string;
}

function filesOf(ca: string): Files {
  return { caFile: fileOf(ca), certificateFile: fileOf(testClient.certificate), keyFile: fileOf(testClient.key) };
}

async function open(
  client: KafkaClientName,
  tls: Files,
  host = "localhost",
  logger?: Logger,
  port = kafka.port,
): Promise<Broker> {
  const brokers = [`${host}:${port}`];
  const settings = {
    messaging: { adapter: "kafka" },
    kafka: { client, brokers, tls, sessionMs: 6_000, giveUpMs: 60_000 },
  } as const;
  return await openBroker("test", settings, { ...noTelemetry, ...(logger && { logger }) });
}

const message = () =>
  createMessage({
    source: "/test",
    type: "test",
    key: randomUUID(),
    contentType: "text/plain",
    data: Buffer.from("x"),
  });

/** Opens a port that asks for a client certificate, as a broker does, and answers nothing else. */
async function listen(): Promise<Server & AsyncDisposable> {
  const { certificate: cert, key } = testServer;
  const server = createServer({ cert, key, ca: testCa, requestCert: true, rejectUnauthorized: true });
  server.on("secureConnection", (socket) => socket.on("error", () => undefined).on("data", () => socket.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(server, {
    async [Symbol.asyncDispose]() {
      server.close();
    },
  });
}

for (const client of kafkaClients) {
  for (const { name, files, words } of [
    { name: "no client certificate", files: () => ({ caFile: fileOf(testCa) }), words: /alert certificate required/ },
    { name: "another authority", files: () => filesOf(testOtherCa), words: /certificate/ },
  ]) {
    test(`${client} says at once that a broker does not accept ${name}`, { timeout: 60_000 }, async () => {
      await using server = await listen();
      const { port } = server.address() as AddressInfo;
      const started = performance.now();
      await assert.rejects(open(client, files(), "localhost", noTelemetry.logger, port), (error: Error) => {
        assert.match(
          error.message,
          /^Kafka did not answer at localhost:\d+ over TLS \(.*\): check the authorities and the client cert/,
        );
        return words.test(error.message);
      });
      // The client libraries try for half a minute.
      assert.ok(performance.now() - started < 10_000, `${performance.now() - started} ms`);
    });
  }

  describe(`the client ${client}`, { skip }, () => {
    for (const host of ["localhost", "127.0.0.1"]) {
      test(`publishes and reads over TLS with a client certificate, at ${host}`, { timeout: 60_000 }, async () => {
        await using broker = await open(client, filesOf(testCa), host);
        const topic = `tls-${randomUUID()}`;
        await broker.createTopics([topic], { partitions: 1 });
        const arrived: string[] = [];
        await using _subscription = await broker.subscribe(
          topic,
          async ({ message: { id } }) => void arrived.push(id),
          { group: "test", concurrency: 1 },
        );
        const sent = message();
        await broker.publish(topic, [sent]);
        await eventually(
          (): readonly string[] => arrived,
          (ids) => ids.includes(sent.id),
          30_000,
        );
      });
    }

    for (const { name, files, words } of [
      { name: "another authority", files: () => filesOf(testOtherCa), words: /over TLS \(.*certificate.*\): check/ },
      {
        name: "no client certificate",
        files: () => ({ caFile: fileOf(testCa) }),
        words: /over TLS \(the broker sent the alert /,
      },
      {
        name: "a client certificate of another authority",
        files: () => ({
          caFile: fileOf(testCa),
          certificateFile: fileOf(testStranger.certificate),
          keyFile: fileOf(testStranger.key),
        }),
        words: /over TLS \(the broker sent the alert /,
      },
    ]) {
      test(`with ${name} a start ends with an error that says so`, { timeout: 60_000 }, async () => {
        const error: unknown = await open(client, files()).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        assert.ok(error instanceof Error && "code" in error, String(error));
        assert.equal(error.code, "unavailable");
        assert.match(error.message, words);
      });
    }

    test("uses replaced files for new connections", { timeout: 90_000 }, async () => {
      const loaded: string[] = [];
      const logger = { ...noTelemetry.logger, info: (text: string) => void loaded.push(text) };
      const files = filesOf(testCa);
      await using broker = await open(client, files, "localhost", logger);
      const topic = `tls-${randomUUID()}`;
      await broker.createTopics([topic], { partitions: 1 });
      const replace = async (ca: string): Promise<void> => {
        const count = loaded.length;
        writeFileSync(files.caFile, ca);
        await eventually(
          () => loaded.length,
          (length) => length > count,
          20_000,
        );
      };
      const arrived: string[] = [];
      const sent = message();
      await broker.publish(topic, [sent]);
      await replace(testOtherCa);
      const subscribe = () =>
        broker.subscribe(topic, async ({ message: { id } }) => void arrived.push(id), {
          group: "test",
          concurrency: 1,
        });
      // One client refuses at once, and the other tries again by itself.
      const refused = subscribe().catch(() => undefined);
      await sleep(3_000);
      assert.deepEqual(arrived, [], "the new connection does not trust the broker");
      await replace(testCa);
      await using _subscription = (await refused) ?? (await subscribe());
      await eventually(
        (): readonly string[] => arrived,
        (ids) => ids.includes(sent.id),
        40_000,
      );
    });
  });
}
