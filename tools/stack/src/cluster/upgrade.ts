import { sleep } from "@plumbline/concurrency";
import { databaseOwners } from "../services.ts";
import { serviceUrl, startArrivals, warmUp } from "./arrivals.ts";
import { chartOf, identityAfter, release, valuesOf } from "./charts.ts";
import { inNamespace, type Print } from "./in-namespace.ts";
import type { ClusterStack } from "./open-cluster.ts";
import { packageChart, schemaBefore, type Versions } from "./previous.ts";
import type { Reach } from "./reach.ts";
import { recordReplicas } from "./replicas.ts";
import { explain, type Report, seconds } from "./report.ts";
import { slowSupplier } from "./rollouts.ts";
import { recordTimeline } from "./timeline.ts";

const waitS = 300;
/** The time that an upgrade with a bad image may take, and the time that its rollback may add. */
const badS = 60;
const badRollbackS = 30;
/** Another number than the autoscaler's least and greatest, so that a reset would be seen. */
const scaledTo = 3;
const calmMs = 2_000;
/** The longest time that a replaced pod may need to end: its grace period. */
const endingMs = 30_000;
const warmMs = 15_000;

export interface UpgradeOptions {
  readonly reach: Reach;
  readonly tag: string;
  readonly versions: Versions;
  readonly rate: number;
  readonly watchers: number;
}

/**
 * Installs an earlier version, and under load upgrades it to this one, rolls it back, and upgrades
 * it to an image that does not exist, which Helm takes back. A migration, changed settings and
 * changed templates lie between. Prints a table, and returns 1 if a request failed, or the number
 * of pods changed.
 */
export async function upgrade({ reach, tag, versions, rate, watchers }: UpgradeOptions, print: Print): Promise<number> {
  const chart = await packageChart(reach, versions);
  const identity = identityAfter(schemaBefore(versions));
  const before = { tag: versions.before, supplierTag: tag, chart, identity: identity.before };
  const options = { reach, ...before, values: scaling };
  return await inNamespace("upgrade", options, print, async (stack, report) => {
    await slowSupplier(stack);
    await stack.kubectl("scale", "deployment/plumbline-gateway", `--replicas=${scaledTo}`);
    await stack.kubectl("rollout", "status", "deployment/plumbline-gateway", `--timeout=${waitS}s`);
    const url = await serviceUrl(stack);
    await warmUp({ url, rate, watchers }, warmMs);
    await using timeline = recordTimeline(reach, stack.namespace);
    await using replicas = recordReplicas(reach, stack.namespace, "gateway");
    const helm = (...args: readonly string[]) => reach.helm([...args, "--namespace", stack.namespace]);
    const migrated = databaseOwners.flatMap((name) => ["--set", `services.${name}.image.tag=${versions.migrated}`]);
    const next = [...valuesOf(tag, identity.now), ...scaling, "--set", "settings.graceMs=21000", ...migrated];
    const underLoad = async (what: string, work: () => Promise<void>) => {
      await using load = startArrivals({ url, rate, watchers });
      await sleep(calmMs);
      const began = performance.now();
      await work();
      const took = performance.now() - began;
      await sleep(calmMs);
      const seen = await load.end();
      print(`${what}: ${seconds(took)}`);
      if (seen.failures.length > 0) print(explain(seen, timeline));
      report.load(what, seen);
      return took;
    };

    await underLoad("upgrade", async () => {
      await helm("upgrade", release, chartOf(), "--wait", `--timeout=${waitS}s`, ...next);
    });
    const tables = await stack.kubectl("exec", "postgres-0", "--", "sh", "-c", askForTable);
    report.check("upgrade: the migration is there", tables.trim(), "upgrade_test", tables.trim() === "upgrade_test");
    await images(stack, report, "upgrade", tag);

    await underLoad("rollback", async () => {
      await helm("rollback", release, "1", "--wait", `--timeout=${waitS}s`);
    });
    await images(stack, report, "rollback", versions.before);

    let refused = false;
    const took = await underLoad("bad image", async () => {
      const bad = ["--reuse-values", "--set", "services.gateway.image.tag=does-not-exist"];
      await helm("upgrade", release, chart, "--rollback-on-failure", `--timeout=${badS}s`, ...bad).catch(() => {
        refused = true;
      });
    });
    const most = badS + badRollbackS;
    const isBack = refused && took <= most * 1_000;
    report.check("bad image: taken back", refused ? seconds(took) : "no", `<= ${most} s`, isBack);
    await images(stack, report, "bad image", versions.before);
    const seen = [...new Set(replicas.changes.map(({ wanted }) => wanted))].join(", ");
    report.check("pods asked for of the gateway", seen, `${scaledTo}`, seen === `${scaledTo}`);
  });
}

/** Autoscalers without their metric keep the number of pods, so that only Helm could change it. */
const scaling = ["--set", "autoscaling.metrics=adapter"];

const askForTable =
  "psql -U postgres -d orders -Atc \"select tablename from pg_tables where tablename = 'upgrade_test'\"";

/** Adds a row: all pods of the gateway run an image of a tag. */
async function images(stack: ClusterStack, report: Report, when: string, tag: string): Promise<void> {
  const path = '{range .items[*]}{.spec.containers[0].image}{"\\n"}{end}';
  const select = ["--selector", "app.kubernetes.io/name=gateway", "--output", `jsonpath=${path}`];
  const look = async () => {
    const found = new Set((await stack.kubectl("get", "pods", ...select)).trim().split("\n"));
    return [...found].map((image) => image.replace(/^.*:/, "")).join(", ");
  };
  // A pod that is replaced may still be ending.
  const until = performance.now() + endingMs;
  let seen = await look();
  while (seen !== tag && performance.now() < until) {
    await sleep(1_000);
    seen = await look();
  }
  report.check(`${when}: images of the gateway`, seen, tag, seen === tag);
}
