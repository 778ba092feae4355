import { sleep } from "@plumbline/concurrency";
import { ownServices } from "../services.ts";
import { serviceUrl, startArrivals, warmUp } from "./arrivals.ts";
import { inNamespace, type Print } from "./in-namespace.ts";
import type { ClusterStack } from "./open-cluster.ts";
import type { Reach } from "./reach.ts";
import { explain, seconds } from "./report.ts";
import { slowSupplier } from "./rollouts.ts";
import { recordTimeline } from "./timeline.ts";

/** The longest that the budget of a service may refuse an eviction. */
const refusedS = 180;
const calmMs = 2_000;
const warmMs = 15_000;

export interface DrainOptions {
  readonly reach: Reach;
  readonly tag: string;
  readonly rate: number;
  readonly watchers: number;
  readonly envoy: boolean;
}

/**
 * Evicts each pod of the services in turn under a load at a fixed rate, as a drain of a node does.
 * An eviction that a disruption budget refuses is asked for again. Prints a table, and returns 1 if
 * a request failed, or an eviction was refused for too long.
 */
export async function drain({ reach, tag, rate, watchers, envoy }: DrainOptions, print: Print): Promise<number> {
  return await inNamespace("drain", { reach, tag, envoy, replicas: 2 }, print, async (stack, report) => {
    await slowSupplier(stack);
    const url = await serviceUrl(stack, envoy);
    await warmUp({ url, rate, watchers }, warmMs);
    await using timeline = recordTimeline(reach, stack.namespace);
    await using load = startArrivals({ url, rate, watchers });
    await sleep(calmMs);
    for (const { name } of ownServices) {
      const replicas = await stack.replicas(name);
      let refused = 0;
      const began = performance.now();
      for (const replica of replicas) {
        while (!(await evict(stack, replica.name))) {
          refused += 1;
          if (performance.now() - began > refusedS * 1_000)
            throw new Error(`no eviction of ${replica.name} is allowed`);
          await sleep(1_000);
        }
      }
      await stack.kubectl("rollout", "status", `deployment/plumbline-${name}`, "--timeout=300s");
      const took = performance.now() - began;
      // The second pod may only go once the first one has a ready successor.
      report.check(
        `${name}: ${replicas.length} evictions`,
        `${seconds(took)}, ${refused} refused until a pod was ready`,
        `<= ${refusedS} s, >= 1 refused`,
        took <= refusedS * 1_000 && refused > 0,
      );
    }
    await sleep(calmMs);
    const seen = await load.end();
    if (seen.failures.length > 0) print(explain(seen, timeline));
    report.load("all", seen);
  });
}

/** Asks for the eviction of a pod. Returns false if its disruption budget refuses it now. */
async function evict(stack: ClusterStack, name: string): Promise<boolean> {
  const { namespace } = stack;
  const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
  try {
    await stack.create(`/api/v1/namespaces/${namespace}/pods/${name}/eviction`, eviction);
    return true;
  } catch (error) {
    if (/disruption budget/.test((error as Error).message)) return false;
    throw error;
  }
}
