/**
 * Runs a member that takes messages and never returns: `stuck-subscriber.ts URL TOPIC GROUP`. Tests
 * kill it.
 */
import { noTelemetry } from "@plumbline/telemetry";
import { openPostgresBroker } from "../src/postgres/broker.ts";

const [url = "", topic = "", group = ""] = process.argv.slice(2);
const broker = await openPostgresBroker({ url }, noTelemetry);
await broker.subscribe(
  topic,
  async () => {
    process.stdout.write("holding\n");
    await new Promise(() => undefined);
  },
  { group, concurrency: 4 },
);
