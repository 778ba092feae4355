import { type BrokerOptions, connectBroker } from "@plumbline/messaging";
import { kafkaClients } from "@plumbline/messaging/settings";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase, testKafka, whyNoKafka } from "@plumbline/tools-engines";
import { compare, describe, ratio } from "./compare.ts";
import { idleMs } from "./idle.ts";
import { handlingRate, relayRate } from "./messaging.ts";

/**
 * Measures the claims about messaging: ratios, medians and spread, each pair in turn. Sets exit
 * code 1 if a claim is missed.
 */
export async function claims(rounds: number): Promise<void> {
  await using place = await testDatabase();
  const postgres = { adapter: "postgres", postgres: { url: place.url, applicationName: "bench" } } as const;
  const why = whyNoKafka();
  const brokers = why === undefined ? (await testKafka()).split(",") : [];
  const adapters: { readonly name: string; readonly options: BrokerOptions }[] = [
    { name: "postgres", options: postgres },
    ...(why === undefined ? kafkaClients : []).map((client) => ({
      name: `Kafka through ${client}`,
      options: { adapter: "kafka", kafka: { client, brokers, clientId: "bench" } } as const,
    })),
  ];
  if (why !== undefined) console.log(`Kafka is left out: ${why}`);

  if (why === undefined) {
    for (const client of kafkaClients) {
      const idle = await compare(
        { name: "idle connections to Kafka", unit: "ms between wakes", least: 10 },
        { name: "kafkajs as it comes", measure: async () => await idleMs(brokers, undefined) },
        { name: `our broker over ${client}`, measure: async () => await idleMs(brokers, client) },
        rounds,
      );
      console.log(`\n${describe(idle)}`);
      if (ratio(idle) < idle.least) process.exitCode = 1;
    }
  }

  for (const { name, options } of adapters) {
    await using broker = await connectBroker(options, noTelemetry);
    const relay = await compare(
      { name: `relay to ${name}, messages of 200 bytes`, unit: "messages/s", least: 5 },
      { name: "one message a send", measure: async () => await relayRate(broker, 1, 300) },
      { name: "200 messages a send", measure: async () => await relayRate(broker, 200, 3_000) },
      rounds,
    );
    const handling = await compare(
      { name: `handlers of 5 ms on ${name}`, unit: "messages/s", least: 10 },
      { name: "concurrency 1", measure: async () => await handlingRate(broker, 1, 200) },
      { name: "concurrency 16", measure: async () => await handlingRate(broker, 16, 2_000) },
      rounds,
    );
    for (const comparison of [relay, handling]) {
      console.log(`\n${describe(comparison)}`);
      if (ratio(comparison) < comparison.least) process.exitCode = 1;
    }
  }
}
