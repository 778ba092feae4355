import { sleep } from "@plumbline/concurrency";
import { startArrivals, warmUp } from "./arrivals.ts";
import { checkDemo, startDemo } from "./demo.ts";
import { inNamespace, type Print } from "./in-namespace.ts";
import type { ClusterStack } from "./open-cluster.ts";
import { ingressUrl } from "./platform.ts";
import type { Reach } from "./reach.ts";
import { type ReplicaRecord, recordReplicas, turnsOf, wantedSince } from "./replicas.ts";
import { explain, type Report, seconds } from "./report.ts";
import { slowSupplier } from "./rollouts.ts";
import { readyShares } from "./shares.ts";
import { recordTimeline } from "./timeline.ts";

/** The load asks for this number of pods of the gateway: each may have a share of the rate. */
const podsForLoad = 5;
const least = 2;
const upMs = 60_000;
const downMs = 120_000;
const awayMs = 120_000;
const shareWindowMs = 10_000;
const shareWithinMs = 60_000;
const unevenness = 0.3;
/** The time until Prometheus has scraped twice and the adapter has found the metric. */
const metricMs = 90_000;
const warmMs = 15_000;

const workers = 3;
const lagOrders = 200;

export interface AutoscaleOptions {
  readonly reach: Reach;
  readonly tag: string;
  readonly rate: number;
}

/**
 * Scales the gateway by its requests and the worker by its lag, with Prometheus, prometheus-adapter
 * and Traefik in the namespace. Prints a table, and returns 1 if a row misses its target.
 */
export async function autoscale({ reach, tag, rate }: AutoscaleOptions, print: Print): Promise<number> {
  const platform = { metrics: true, ingress: true };
  return await inNamespace(
    "autoscale",
    { reach, tag, platform, values: values(rate) },
    print,
    async (stack, report) => {
      await using gateways = recordReplicas(reach, stack.namespace, "gateway");
      await using replicas = recordReplicas(reach, stack.namespace, "worker");
      const url = await ingressUrl(reach, stack.namespace);
      // Each pod has its first requests, and so its metric.
      await warmUp({ url, rate: Math.max(1, Math.floor(rate / podsForLoad)), watchers: 0 }, warmMs);
      report.check("metric known", ...within(await untilActive(stack, "gateway", metricMs), metricMs));
      await byRequests({ stack, reach, url, rate, gateways }, report, print);
      await byLag(stack, url, replicas, report, print);
    },
  );
}

/** Fixed numbers of the other services, and targets that the load exceeds. */
function values(rate: number): readonly string[] {
  const scaling = (service: string, settings: Readonly<Record<string, number>>) =>
    Object.entries(settings).map(([key, value]) => `services.${service}.autoscaling.${key}=${value}`);
  const set = [
    "autoscaling.metrics=adapter",
    "autoscaling.rateWindow=15s",
    ...scaling("gateway", { min: least, max: 6, target: rate / podsForLoad }),
    ...scaling("greeter", { min: 1, max: 1 }),
    ...scaling("orders", { min: 1, max: 1 }),
    ...scaling("worker", { min: 1, max: workers, target: 20 }),
    // A slow worker, so that its lag lasts.
    "services.worker.settings.concurrency=2",
  ];
  return ["--set", set.join(",")];
}

interface Gateways {
  readonly stack: ClusterStack;
  readonly reach: Reach;
  readonly url: string;
  readonly rate: number;
  readonly gateways: ReplicaRecord;
}

async function byRequests(options: Gateways, report: Report, print: Print): Promise<void> {
  const { stack, reach, url, rate, gateways } = options;
  await using timeline = recordTimeline(reach, stack.namespace);
  await gateways.until(({ wanted, ready }) => wanted === least && ready === least, performance.now(), downMs);
  await using load = startArrivals({ url, rate, watchers: 0 });
  const began = performance.now();
  const up = await gateways.until(({ ready }) => ready >= podsForLoad, began, upMs * 3);
  report.check(`gateway: ${least} to ${podsForLoad} ready`, ...within(up, upMs));
  const share = await evenShare(stack);
  report.check(
    "gateway: requests of each pod",
    `${share.seen} of the mean, ${seconds(share.took)} later`,
    `+-${unevenness * 100} % within ${shareWithinMs / 1_000} s`,
    share.isEven,
  );
  report.check("gateway: turns on the way up", ...atMost(turnsOf(wantedSince(gateways.changes, began)), 1));
  await withoutMetrics(options, report);

  const seen = await load.end();
  const over = performance.now();
  const down = await gateways.until(({ wanted }) => wanted === least, over, downMs * 2);
  report.check(`gateway: back to ${least}`, ...within(down, downMs));
  report.check("gateway: turns on the way down", ...atMost(turnsOf(wantedSince(gateways.changes, over)), 1));
  if (seen.failures.length > 0) print(explain(seen, timeline));
  report.load("all of it", seen);
}

/** Takes Prometheus away for a while. The number of pods must stay, and the autoscaler say why. */
async function withoutMetrics({ stack, gateways }: Gateways, report: Report): Promise<void> {
  await stack.kubectl("scale", "deployment/prometheus", "--replicas=0");
  const away = performance.now();
  await sleep(awayMs);
  const { status, reason } = await activeCondition(stack, "gateway");
  const numbers = wantedSince(gateways.changes, away);
  await stack.kubectl("scale", "deployment/prometheus", "--replicas=1");
  report.check(`Prometheus away for ${awayMs / 1_000} s: pods`, numbers.join(", "), "unchanged", numbers.length === 1);
  report.check(
    "Prometheus away: the autoscaler says",
    `${status} ${reason}`,
    "False, with a reason",
    status === "False",
  );
  report.check("Prometheus back: metric known", ...within(await untilActive(stack, "gateway", metricMs), metricMs));
}

async function byLag(
  stack: ClusterStack,
  url: string,
  replicas: ReplicaRecord,
  report: Report,
  print: Print,
): Promise<void> {
  await slowSupplier(stack);
  const began = performance.now();
  const demo = startDemo(url, lagOrders, print);
  const [up, code] = await Promise.all([replicas.until(({ ready }) => ready >= workers, began, upMs * 3), demo.ended]);
  report.check(`worker: 1 to ${workers} ready by lag`, ...within(up, upMs));
  checkDemo(report, "worker by lag", lagOrders, code);
}

/** Measures windows until each ready pod has about the same share, or the time is over. */
async function evenShare(stack: ClusterStack) {
  const began = performance.now();
  for (;;) {
    const shares = await readyShares(stack, shareWindowMs);
    const [low, high] = [Math.min(...shares), Math.max(...shares)];
    const isEven = shares.length >= podsForLoad && low >= 1 - unevenness && high <= 1 + unevenness;
    const took = performance.now() - began;
    if (isEven || took > shareWithinMs) {
      return { isEven, took, seen: `${Math.round(low * 100)} to ${Math.round(high * 100)} %` };
    }
  }
}

/** Returns the condition of an autoscaler that says if it has its metric. */
async function activeCondition(stack: ClusterStack, service: string) {
  const path = '{range .status.conditions[?(@.type=="ScalingActive")]}{.status} {.reason}{end}';
  const found = await stack.kubectl("get", "hpa", `plumbline-${service}`, "--output", `jsonpath=${path}`);
  const [status = "", reason = ""] = found.split(" ");
  return { status, reason };
}

/** Resolves with the time until an autoscaler has its metric. */
async function untilActive(stack: ClusterStack, service: string, limitMs: number): Promise<number | undefined> {
  const began = performance.now();
  while (performance.now() - began < limitMs) {
    if ((await activeCondition(stack, service)).status === "True") return performance.now() - began;
    await sleep(1_000);
  }
  return undefined;
}

function within(took: number | undefined, limitMs: number): [seen: string, target: string, ok: boolean] {
  const target = `<= ${limitMs / 1_000} s`;
  return took === undefined ? ["never", target, false] : [seconds(took), target, took <= limitMs];
}

function atMost(seen: number, limit: number): [seen: string, target: string, ok: boolean] {
  return [`${seen}`, `<= ${limit}`, seen <= limit];
}
