import { sleep } from "@plumbline/concurrency";
import type { ClusterStack } from "./open-cluster.ts";

/**
 * Returns the share of each ready pod of the gateway in the requests of a while, as a part of the
 * mean: 1 each, if they are even. Pods that are not there at both ends are left out.
 */
export async function readyShares(stack: ClusterStack, windowMs: number): Promise<readonly number[]> {
  const before = await requestsOf(stack);
  await sleep(windowMs);
  const after = await requestsOf(stack);
  const counts = [...after].flatMap(([pod, count]) => {
    const first = before.get(pod);
    return first === undefined ? [] : [count - first];
  });
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.map((count) => count / mean);
}

/** Returns the requests that each ready gateway has answered, by the name of its pod. */
async function requestsOf(stack: ClusterStack): Promise<ReadonlyMap<string, number>> {
  const read = (await stack.readyPods("gateway")).map(async (name) => {
    const path = `/api/v1/namespaces/${stack.namespace}/pods/${name}:9464/proxy/metrics`;
    return [name, sumOf(await stack.kubectl("get", "--raw", path), "http_requests_total")] as const;
  });
  return new Map(await Promise.all(read));
}

/** Returns the sum of all series of a counter in the text of a metrics page. */
export function sumOf(page: string, counter: string): number {
  return page
    .split("\n")
    .filter((line) => line.startsWith(`${counter}{`) || line.startsWith(`${counter} `))
    .reduce((sum, line) => sum + Number(/ (\S+)(?: \d+)?$/.exec(line)?.[1] ?? Number.NaN), 0);
}
