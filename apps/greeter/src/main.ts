import { aborted, sleep } from "@plumbline/concurrency";
import { type Config, loadConfig, serviceSources } from "@plumbline/config";
import { descriptorSet } from "@plumbline/contracts";
import { Health, run, serveOps } from "@plumbline/lifecycle";
import { serve } from "@plumbline/rpc";
import { followServerTls } from "@plumbline/rpc/settings";
import { startTelemetry } from "@plumbline/telemetry";
import { GreeterConfig } from "./config.ts";
import { greeterService } from "./greeter-service.ts";

/** The life of the process: resources open in the order of the lines and close in reverse. */
async function main(config: Config<typeof GreeterConfig>, signal: AbortSignal): Promise<void> {
  await using telemetry = startTelemetry({ service: "greeter", ...config.telemetry });

  const health = new Health(); // Nothing to depend on.
  await using ops = await serveOps({ ...config.ops, health, metrics: (format) => telemetry.metrics.text(format) });
  await using certificates = await followServerTls(config.rpc.tls, telemetry.logger);
  await using server = await serve(
    { services: [greeterService], descriptors: descriptorSet, health, telemetry }, // A second is kept for what closes after the calls.
    { ...config.rpc, tls: certificates?.current, graceMs: config.graceMs - config.drainMs - 1_000 },
  );

  health.ready();
  telemetry.logger.info("greeter is listening", { port: server.port, opsPort: ops.port });
  await aborted(signal);
  health.drain();
  await sleep(config.drainMs); // Load balancers need a moment to look away.
}

const config = await loadConfig(GreeterConfig, serviceSources("greeter")).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
if (config !== undefined) await run((signal) => main(config, signal), { graceMs: config.graceMs });
