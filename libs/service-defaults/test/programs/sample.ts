/** The smallest service that has a port and a migration. */
import type { Config } from "@plumbline/config";
import { noTelemetry } from "@plumbline/telemetry";
import {
  openOps,
  runService,
  type ServiceContext,
  serveUntilStopped,
  serviceConfig,
  settings,
} from "../../src/index.ts";

const SampleConfig = serviceConfig({ ops: settings.ops({ port: 0 }), ...settings.shutdown() });

async function main(config: Config<typeof SampleConfig>, { name, signal }: ServiceContext): Promise<void> {
  await using ops = await openOps({ ...config.ops, host: "127.0.0.1" }, {}, noTelemetry);
  console.log(`ready ${ops.port}`);
  await serveUntilStopped({ name, ops, port: 0, drainMs: config.drainMs }, noTelemetry, { signal });
  console.log("drained");
}

async function migrate(_config: Config<typeof SampleConfig>, { name }: ServiceContext): Promise<void> {
  console.log(`${name} is migrated`);
}

// SAMPLE_... is for settings, so what the test chooses has another name.
await runService("sample", SampleConfig, main, process.env["WITH_MIGRATE"] === "no" ? {} : { migrate });
