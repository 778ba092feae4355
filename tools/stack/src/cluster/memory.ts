import { background, sleep } from "@plumbline/concurrency";
import { table } from "../compose/table.ts";
import type { ClusterStack } from "./open-cluster.ts";
import type { Report } from "./report.ts";

/** The metrics server has new figures about this often. */
const everyMs = 5_000;
const metricsWithinMs = 60_000;

/** A record of the memory of each pod. */
export interface MemoryRecord extends AsyncDisposable {
  /** Returns a table of each pod's memory, and adds a row: none came close to its limit. */
  end(report: Report): Promise<string>;
}

/** Records the memory of each pod from now on: the first figure, at rest, and the highest. */
export async function recordMemory(stack: ClusterStack): Promise<MemoryRecord> {
  const atRest = await firstFigures(stack);
  const highest = new Map(atRest);
  const work = background(async (signal) => {
    while (!signal.aborted) {
      for (const [pod, bytes] of await figures(stack)) {
        if (!atRest.has(pod)) atRest.set(pod, bytes);
        highest.set(pod, Math.max(bytes, highest.get(pod) ?? 0));
      }
      await sleep(everyMs, { signal }).catch(() => undefined);
    }
  });
  return {
    [Symbol.asyncDispose]: () => work[Symbol.asyncDispose](),
    async end(report) {
      await work[Symbol.asyncDispose]();
      if (highest.size === 0) return "NOT MEASURED: memory, because the cluster has no metrics API";
      const limits = await limitsOf(stack);
      const pods = [...highest].map(([pod, most]) => ({ pod, most, limit: limits.get(pod) ?? 0 }));
      const shares = pods.filter(({ limit }) => limit > 0).map(({ most, limit }) => most / limit);
      const share = Math.max(...shares);
      report.check("memory: the highest share of a limit", `${Math.round(share * 100)} %`, "<= 90 %", share <= 0.9);
      const rows = pods.map(({ pod, most, limit }) => [
        pod,
        mebibytes(atRest.get(pod) ?? 0),
        mebibytes(most),
        mebibytes(limit),
      ]);
      return `\n${table(["pod", "at rest", "highest", "limit"], rows)}\n`;
    },
  };
}

/** Returns the first figures. The metrics server has none of a new pod for a while. */
async function firstFigures(stack: ClusterStack): Promise<Map<string, number>> {
  const until = performance.now() + metricsWithinMs;
  const wanted = (await limitsOf(stack)).size;
  for (;;) {
    const found = await figures(stack);
    if (found.size >= wanted || performance.now() > until) return found;
    await sleep(everyMs);
  }
}

async function figures(stack: ClusterStack): Promise<Map<string, number>> {
  const lines = await stack.kubectl("top", "pods", "--no-headers").catch(() => "");
  return new Map(pairs(lines.replaceAll(/^(\S+)\s+\S+\s+/gm, "$1 ")));
}

async function limitsOf(stack: ClusterStack): Promise<Map<string, number>> {
  const path = '{range .items[*]}{.metadata.name} {.spec.containers[0].resources.limits.memory}{"\\n"}{end}';
  return new Map(pairs(await stack.kubectl("get", "pods", "--output", `jsonpath=${path}`)));
}

function pairs(text: string): (readonly [string, number])[] {
  return text
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", quantity = ""] = line.trim().split(/\s+/);
      return [name, Number.parseInt(quantity, 10) * (quantity.endsWith("Gi") ? 1_024 : 1)] as const;
    });
}

function mebibytes(count: number): string {
  return count === 0 ? "" : `${count} MiB`;
}
