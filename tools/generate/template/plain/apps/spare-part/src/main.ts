import type { Config } from "@plumbline/config";
import { descriptorSet } from "@plumbline/contracts";
import { accessRulesOf } from "@plumbline/contracts/access";
import {
  msAfterDrain,
  openOps,
  runService,
  type ServiceContext,
  serveRpc,
  serveUntilStopped,
  version,
} from "@plumbline/service-defaults";
import { startTelemetry } from "@plumbline/telemetry";
import { SparePartConfig } from "./config.ts";
import { sparePartService } from "./spare-part-service.ts";

/** The life of the process: resources open in the order of the lines and close in reverse. */
async function main(config: Config<typeof SparePartConfig>, { name, signal }: ServiceContext): Promise<void> {
  await using telemetry = startTelemetry({ service: name, version, ...config.telemetry });
  await using ops = await openOps(config.ops, {}, telemetry); // It depends on no other service.
  await using server = await serveRpc(
    {
      services: [sparePartService],
      descriptors: descriptorSet,
      access: () => accessRulesOf(descriptorSet),
      health: ops.health,
      telemetry,
    },
    // One second is reserved for what closes after the calls.
    { ...config.rpc, graceMs: msAfterDrain(config) - 1_000 },
  );
  await serveUntilStopped({ name, ops, port: server.port, drainMs: config.drainMs, registered: config }, telemetry, {
    signal,
  });
}

await runService("spare-part", SparePartConfig, main);
