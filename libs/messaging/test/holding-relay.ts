/**
 * Runs a relay that reads a batch and never gets a reply from its broker: `holding-relay.ts URL`.
 * Tests kill it.
 */
import { openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { relayOutbox } from "../src/outbox/relay-outbox.ts";

const database = await openDatabase({ url: process.argv[2] ?? "", applicationName: "holding" }, noTelemetry);
const publish = async (): Promise<void> => {
  process.stdout.write("sending\n");
  await new Promise(() => undefined);
};
await relayOutbox(database, { publish }, noTelemetry, { sendTimeoutMs: 60_000 });
