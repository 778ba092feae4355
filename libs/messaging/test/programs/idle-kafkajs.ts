/**
 * Runs one idle connection of kafkajs and sends its wakes per second: `idle-kafkajs.ts BROKERS
 * patched|as-it-comes`.
 */
import kafkajs from "kafkajs";
import { quietRequestQueue } from "../../src/kafka/kafkajs/quiet-request-queue.ts";

const [brokers = "", how] = process.argv.slice(2);
if (how === "patched") quietRequestQueue();
const kafka = new kafkajs.Kafka({ brokers: brokers.split(","), logLevel: kafkajs.logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();
await admin.listTopics();
const seconds = 2;
const before = process.resourceUsage().voluntaryContextSwitches;
setTimeout(() => {
  process.send?.((process.resourceUsage().voluntaryContextSwitches - before) / seconds, () => process.exit(0));
}, seconds * 1_000);
