import { sleep } from "@plumbline/concurrency";
import { serviceUrl } from "./arrivals.ts";
import { checkDemo, startDemo } from "./demo.ts";
import { inNamespace, type Print } from "./in-namespace.ts";
import { killPod, processNamed } from "./node-processes.ts";
import type { ClusterStack } from "./open-cluster.ts";
import type { Reach } from "./reach.ts";
import { type Report, seconds } from "./report.ts";
import { slowSupplier } from "./rollouts.ts";

const orders = 200;
/** The fault comes when this number of orders is placed, and the first ones are being fulfilled. */
const placedBefore = orders / 4;
const repairS = 180;

/** The names of the faults, in their order. */
export const victims = ["gateway", "orders", "worker", "kubelet", "postgres", "kafka"] as const;

export interface FaultsOptions {
  readonly reach: Reach;
  readonly tag: string;
  readonly victims: readonly (typeof victims)[number][];
}

interface Fault {
  readonly name: string;
  /** It needs the processes of the node. */
  readonly onNode?: true;
  /** Resolves once it has happened, with what has changed. Rejects if nothing has. */
  bring(stack: ClusterStack, reach: Reach): Promise<string>;
}

/**
 * Runs the demo once for each fault, which comes in its middle. Each order must end once. Prints a
 * table, and returns 1 if a row misses its target.
 */
export async function faults({ reach, tag, victims: chosen }: FaultsOptions, print: Print): Promise<number> {
  return await inNamespace("faults", { reach, tag, replicas: 2 }, print, async (stack, report) => {
    await slowSupplier(stack);
    const url = await serviceUrl(stack);
    for (const victim of chosen) {
      const fault = all[victim];
      if (fault.onNode && !reach.isDirect) {
        print(`NOT RUN: ${fault.name}, because the node's processes are not visible from here`);
        continue;
      }
      await run(fault, { stack, reach, url }, report, print);
    }
  });
}

interface Where {
  readonly stack: ClusterStack;
  readonly reach: Reach;
  readonly url: string;
}

async function run(fault: Fault, { stack, reach, url }: Where, report: Report, print: Print): Promise<void> {
  const demo = startDemo(url, orders, print);
  await demo.placed(placedBefore);
  const began = performance.now();
  const [changed, code] = await Promise.all([fault.bring(stack, reach), demo.ended]);
  print(`${fault.name}: ${changed}, all orders have ended ${seconds(performance.now() - began)} later`);
  checkDemo(report, fault.name, orders, code);
}

const all: Readonly<Record<(typeof victims)[number], Fault>> = {
  gateway: killed("gateway"),
  orders: killed("orders"),
  worker: killed("worker"),
  kubelet: {
    name: "kill -9 of the kubelet",
    onNode: true,
    async bring(_stack, reach) {
      const before = processNamed("kubelet");
      process.kill(before, "SIGKILL");
      return await repaired("the kubelet", async () => {
        const found = await reach.kubectl(["get", "nodes", "--output", `jsonpath=${readyOf}`]);
        return found.split(" ").every((status) => status === "True") && isOther("kubelet", before)
          ? "it runs again"
          : undefined;
      });
    },
  },
  postgres: deleted("postgres"),
  kafka: deleted("kafka"),
};

const readyOf = '{.items[*].status.conditions[?(@.type=="Ready")].status}';
const restartsOf = '{range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{"\\n"}{end}';

/** Kills every pod of a service at once. */
function killed(service: string): Fault {
  return {
    name: `kill -9 of all pods of ${service}`,
    onNode: true,
    async bring(stack) {
      const restarts = async () => {
        const select = ["--selector", `app.kubernetes.io/name=${service}`, "--output", `jsonpath=${restartsOf}`];
        const lines = (await stack.kubectl("get", "pods", ...select)).trim().split("\n");
        return new Map(lines.map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]));
      };
      const before = await restarts();
      for (const uid of before.keys()) killPod(uid);
      return await repaired(service, async () => {
        const now = await restarts();
        const again = [...before].filter(([uid, count]) => (now.get(uid) ?? 0) > count).length;
        const ready = (await stack.readyPods(service)).length;
        return again === before.size && ready === before.size ? `${again} restarts` : undefined;
      });
    },
  };
}

/** Deletes the only pod of an engine, and waits for the next. */
function deleted(engine: string): Fault {
  const pod = `${engine}-0`;
  return {
    name: `${pod} deleted`,
    async bring(stack) {
      const uid = () => stack.kubectl("get", "pod", pod, "--output", "jsonpath={.metadata.uid}");
      const before = await uid();
      await stack.kubectl("delete", "pod", pod, `--timeout=${repairS}s`);
      await stack.kubectl("rollout", "status", `statefulset/${engine}`, `--timeout=${repairS}s`);
      if ((await uid()) === before) throw new Error(`${pod} was not replaced`);
      return "another pod is ready";
    },
  };
}

function isOther(name: string, before: number): boolean {
  try {
    return processNamed(name) !== before;
  } catch {
    return false; // It has not started yet.
  }
}

/** Resolves with what `look` has found. Rejects if it finds nothing in time. */
async function repaired(what: string, look: () => Promise<string | undefined>): Promise<string> {
  const began = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() - began > repairS * 1_000) throw new Error(`${what} was not repaired within ${repairS} s`);
    await sleep(500);
  }
}
