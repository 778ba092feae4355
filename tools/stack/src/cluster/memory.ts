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
  const note = async () => {
    const found = await figures(stack);
    for (const [pod, { mebibytes }] of found) {
      if (!atRest.has(pod)) atRest.set(pod, mebibytes);
      highest.set(pod, Math.max(mebibytes, highest.get(pod) ?? 0));
    }
    return found;
  };
  const work = background(async (signal) => {
    while (!signal.aborted) {
      await note();
      await sleep(everyMs, { signal }).catch(() => undefined);
    }
  });
  return {
    [Symbol.asyncDispose]: () => work[Symbol.asyncDispose](),
    async end(report) {
      await work[Symbol.asyncDispose]();
      // A figure from the end of the work comes a while later.
      const ended = Date.now();
      const until = performance.now() + metricsWithinMs;
      while ([...(await note()).values()].some(({ at }) => at < ended) && performance.now() < until) {
        await sleep(everyMs);
      }
      if (highest.size === 0) return "NOT MEASURED: memory, because the cluster has no metrics API";
      const limits = await limitsOf(stack);
      const pods = [...highest].map(([pod, most]) => ({ pod, most, limit: limits.get(pod) ?? 0 }));
      const shares = pods.filter(({ limit }) => limit > 0).map(({ most, limit }) => most / limit);
      const share = Math.max(...shares);
      report.check("memory: the highest share of a limit", `${Math.round(share * 100)} %`, "<= 90 %", share <= 0.9);
      const rows = pods.map(({ pod, most, limit }) => [pod, shown(atRest.get(pod) ?? 0), shown(most), shown(limit)]);
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
    if (found.size >= wanted || performance.now() > until) {
      return new Map([...found].map(([pod, { mebibytes }]) => [pod, mebibytes]));
    }
    await sleep(everyMs);
  }
}

interface Figure {
  readonly mebibytes: number;
  /** The time of the measurement, in milliseconds. */
  readonly at: number;
}

async function figures(stack: ClusterStack): Promise<Map<string, Figure>> {
  const path = '{range .items[*]}{.metadata.name} {.containers[0].usage.memory} {.timestamp}{"\\n"}{end}';
  const lines = await stack.kubectl("get", "podmetrics", "--output", `jsonpath=${path}`).catch(() => "");
  return new Map(
    rowsOf(lines).map(([pod = "", used = "", time = ""]) => [pod, { mebibytes: quantity(used), at: Date.parse(time) }]),
  );
}

async function limitsOf(stack: ClusterStack): Promise<Map<string, number>> {
  const path = '{range .items[*]}{.metadata.name} {.spec.containers[0].resources.limits.memory}{"\\n"}{end}';
  const lines = await stack.kubectl("get", "pods", "--output", `jsonpath=${path}`);
  return new Map(rowsOf(lines).map(([pod = "", limit = ""]) => [pod, quantity(limit)]));
}

function rowsOf(text: string): string[][] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => line.trim().split(/\s+/));
}

/** Returns the mebibytes of a quantity of Kubernetes, such as 192Mi. */
function quantity(text: string): number {
  const unit = { Ki: 1 / 1_024, Mi: 1, Gi: 1_024 }[text.slice(-2)] ?? 1 / 1_024 ** 2;
  return Math.round(Number.parseInt(text, 10) * unit);
}

function shown(count: number): string {
  return count === 0 ? "" : `${count} MiB`;
}
