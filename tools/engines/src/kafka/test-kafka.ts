import { mkdtemp, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missingForJvm } from "./java.ts";
import { type KafkaBroker, startKafka } from "./start-kafka.ts";

/**
 * Returns the reason why there is no Kafka and how to get one, or undefined if tests can run. Pass
 * it to `skip` of a test.
 */
export function whyNoKafka(): string | undefined {
  if (process.env["TEST_KAFKA_BROKERS"] !== undefined) return undefined;
  const missing = missingForJvm();
  return missing === undefined
    ? undefined
    : `needs Kafka: ${missing}; or set TEST_KAFKA_BROKERS=host:port to use a broker that runs`;
}

let shared: Promise<KafkaBroker> | undefined;

/**
 * Returns the addresses of a broker for tests: that of TEST_KAFKA_BROKERS, or one on the JVM that
 * the whole process shares.
 */
export async function testKafka(): Promise<string> {
  const named = process.env["TEST_KAFKA_BROKERS"];
  if (named !== undefined) return named;
  shared ??= startTemporaryKafka().then((broker) => {
    broker.process.unref();
    (broker.process.stdin as Socket).unref();
    (broker.process.stderr as Socket).unref();
    return broker;
  });
  return (await shared).brokers;
}

/**
 * Starts a broker for one caller, to stop and start. Its folder is removed when this process ends.
 */
export async function startTemporaryKafka(): Promise<KafkaBroker> {
  const dataDir = await mkdtemp(join(tmpdir(), "plumbline-kafka-"));
  try {
    return await startKafka({ dataDir, removeFolder: true });
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  }
}
