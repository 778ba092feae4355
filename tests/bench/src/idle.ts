import { spawn } from "node:child_process";
import type { KafkaClientName } from "@plumbline/messaging/settings";

const seconds = 2;

const asItComes = `
  import kafkajs from "kafkajs";
  const kafka = new kafkajs.Kafka({ brokers: BROKERS, logLevel: 0 });
  const [admin, producer] = [kafka.admin(), kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })];
  await Promise.all([admin.connect(), producer.connect()]);
  await admin.listTopics();`;

const asOurBroker = `
  import { connectBroker } from "@plumbline/messaging";
  import { noTelemetry } from "@plumbline/telemetry";
  const broker = await connectBroker({ adapter: "kafka", kafka: { client: CLIENT, brokers: BROKERS, clientId: "idle" } }, noTelemetry);
  await broker.ping();`;

/**
 * Returns the milliseconds between two wakes of a process that only holds its connections to Kafka,
 * with our broker over this client library, or with plain kafkajs.
 */
export async function idleMs(brokers: readonly string[], client: KafkaClientName | undefined): Promise<number> {
  const program = `${client === undefined ? asItComes : asOurBroker.replace("CLIENT", JSON.stringify(client))}
  const before = process.resourceUsage().voluntaryContextSwitches;
  setTimeout(() => {
    process.send(process.resourceUsage().voluntaryContextSwitches - before, () => process.exit(0));
  }, ${seconds * 1_000});`;
  const child = spawn(
    process.execPath,
    ["-C", "source", "--no-warnings", "--input-type=module", "-e", program.replace("BROKERS", JSON.stringify(brokers))],
    {
      cwd: import.meta.dirname,
      // A channel of its own: a client may log to standard output.
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    },
  );
  let wakes = Number.NaN;
  child.once("message", (sent: number) => (wakes = sent));
  await new Promise((resolve) => child.once("close", resolve));
  return (seconds * 1_000) / wakes;
}
