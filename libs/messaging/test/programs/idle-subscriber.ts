/**
 * Runs a member of an idle topic and reports its wakes: `idle-subscriber.ts CLIENT BROKERS TOPIC`.
 */
import { noTelemetry } from "@plumbline/telemetry";
import { openKafkaBroker } from "../../src/kafka/broker.ts";
import type { KafkaClientName } from "../../src/kafka/options.ts";

const [client, brokers = "", topic = ""] = process.argv.slice(2);
const broker = await openKafkaBroker(
  { client: client as KafkaClientName, brokers: brokers.split(","), clientId: "idle" },
  noTelemetry,
);
await broker.subscribe(topic, async () => undefined, { group: "idle", concurrency: 1 });
const seconds = 3;
await new Promise((resolve) => setTimeout(resolve, 1_000)); // Time for the join.
const before = process.resourceUsage();
await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
const after = process.resourceUsage();
process.send?.({
  wakesPerSecond: (after.voluntaryContextSwitches - before.voluntaryContextSwitches) / seconds,
  cpuMsPerSecond:
    (after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1_000 / seconds,
});
