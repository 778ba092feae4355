import { background, onAbort } from "@plumbline/concurrency";
import type { Config } from "@plumbline/config";
import { acquireLease, inCluster, Kube, kubeconfig } from "@plumbline/kube";
import { openOps, runService, type ServiceContext, serveUntilStopped, version } from "@plumbline/service-defaults";
import { startTelemetry } from "@plumbline/telemetry";
import { defaultIdentity, OperatorConfig } from "./config.ts";
import { runOperator } from "./operator.ts";

/** The life of the process: resources open in the order of the lines and close in reverse. */
async function main(config: Config<typeof OperatorConfig>, { name, signal, notices }: ServiceContext): Promise<void> {
  await using telemetry = startTelemetry({ service: name, version, ...config.telemetry });
  const { logger, metrics } = telemetry;
  if (notices !== undefined) notices.logger = logger;
  const access = config.kubeconfig === undefined ? inCluster() : kubeconfig(config.kubeconfig);
  const kube = new Kube({ access });
  const own = await kube.namespace();
  const identity = config.identity ?? defaultIdentity();
  const { namespaces = [own], lease, resyncMs, sidecars } = config;
  const images = { collector: sidecars.collectorImage, agent: sidecars.agentImage };
  const leads = metrics.gauge("operator_leads", "1 while this replica leads.", []);
  leads.set({}, 0);
  await using ops = await openOps(config.ops, {}, telemetry);
  await using _work = background(async (stopping) => {
    await using leadership = await acquireLease(kube, {
      namespace: lease.namespace ?? own,
      name: lease.name,
      identity,
      leaseMs: lease.seconds * 1_000,
      deadlineMs: lease.deadlineMs,
      everyMs: lease.everyMs,
      signal: stopping,
      onFailure: (error) => logger.warn("lease not renewed, to be repeated", { error: String(error) }),
    });
    logger.info("this replica leads", { identity, namespaces });
    leads.set({}, 1);
    using _link = onAbort(stopping, () => leads.set({}, 0));
    const writer = kube.guarded(() => leadership.check());
    await runOperator({ reader: kube, writer }, { namespaces, identity, resyncMs, images }, telemetry, {
      signal: stopping,
    });
  });
  await serveUntilStopped({ name, ops, port: ops.port, drainMs: config.drainMs }, telemetry, { signal });
}

await runService("operator", OperatorConfig, main);
