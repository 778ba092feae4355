import { sleep } from "@plumbline/concurrency";
import { serviceUrl, startArrivals, warmUp } from "./arrivals.ts";
import { inNamespace, type Print } from "./in-namespace.ts";
import type { ClusterStack } from "./open-cluster.ts";
import type { Reach } from "./reach.ts";
import { explain, seconds } from "./report.ts";
import { recordTimeline } from "./timeline.ts";

/** A supplier that needs this time keeps orders, and so their watchers, open for a while. */
const supplierMs = 1_000;
/** The load runs alone for this time before and after the rollouts. */
const calmMs = 2_000;
const warmMs = 15_000;

export interface RolloutsOptions {
  readonly reach: Reach;
  readonly tag: string;
  readonly times: number;
  readonly rate: number;
  readonly watchers: number;
  readonly envoy: boolean;
  readonly services: readonly string[];
}

/**
 * Restarts all pods of each service in turn, several times, under a load at a fixed rate. With
 * Envoy in front these are also its own pods and those of the control plane. Prints a table, and
 * returns 1 if a request failed or a watcher did not see its end.
 */
export async function rollouts(options: RolloutsOptions, print: Print): Promise<number> {
  const { reach, tag, times, rate, watchers, envoy } = options;
  return await inNamespace("rollouts", { reach, tag, envoy, replicas: 2 }, print, async (stack, report) => {
    await slowSupplier(stack);
    const url = await serviceUrl(stack, envoy);
    await warmUp({ url, rate, watchers }, warmMs);
    for (const service of [...options.services, ...(envoy ? ["control-plane", "envoy"] : [])]) {
      await using timeline = recordTimeline(reach, stack.namespace);
      await using load = startArrivals({ url, rate, watchers });
      const began = performance.now();
      await sleep(calmMs);
      for (let time = 0; time < times; time++) await restartAll(stack, service);
      await sleep(calmMs);
      const seen = await load.end();
      print(`${service}: ${times} rollouts in ${seconds(performance.now() - began)}`);
      if (seen.failures.length > 0) print(explain(seen, timeline));
      report.load(`${service}, ${times} rollouts`, seen);
    }
  });
}

/** Orders take a while, so that a stream of events meets the end of a pod. */
export async function slowSupplier(stack: ClusterStack): Promise<void> {
  const change = { latencyMs: supplierMs, jitterMs: supplierMs };
  const response = await fetch(`${await stack.supplier()}/v1/settings`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(change),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`the supplier refused ${JSON.stringify(change)}: ${response.status}`);
}

async function restartAll(stack: ClusterStack, service: string): Promise<void> {
  const workload = `deployment/plumbline-${service}`;
  await stack.kubectl("rollout", "restart", workload);
  await stack.kubectl("rollout", "status", workload, "--timeout=300s");
}
