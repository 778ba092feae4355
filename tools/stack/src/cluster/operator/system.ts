/** The services as resources, under the operator's chart. */
import { join } from "node:path";
import { charts, enginesOf } from "../charts.ts";
import { type Reach, shown } from "../reach.ts";
import { type Report, seconds } from "../report.ts";
import { backendService, listOf, type Spec, systemOf } from "./resources.ts";
import { type Cluster, until } from "./until.ts";

const readyS = 60;
const patienceMs = 300_000;
/** The longest time of a command that waits for pods. */
const waits = ["--wait", "--timeout=300s"];

/** Installs or upgrades the chart of the operator: this commit's, or one in another folder. */
export async function installOperator(
  reach: Reach,
  { namespace, tag }: Cluster,
  more: readonly string[] = ["--set", "crds.enabled=false"],
  chart = join(charts, "plumbline-operator"),
): Promise<void> {
  const values = ["--set", "resources.cpu=10m", "--set-string", `image.tag=${tag}`];
  await reach.helm(["upgrade", "--install", "operator", chart, "--namespace", namespace, ...waits, ...values, ...more]);
}

/**
 * Brings up the engines for tests, and the services of the chart as resources. Adds how soon the
 * greeter and orders are ready.
 */
export async function openSystem(reach: Reach, cluster: Cluster, report: Report): Promise<void> {
  const { namespace, tag, apply } = cluster;
  await reach.helm(["install", "engines", ...enginesOf(tag), "--namespace", namespace, ...waits]);
  const all = systemOf(namespace, tag);
  for (const { metadata, spec } of all.filter((one) => ["greeter", "orders"].includes(one.metadata.name))) {
    const { name } = metadata;
    const began = performance.now();
    await apply(backendService(name, spec));
    await isReady(cluster, name);
    const took = performance.now() - began;
    report.check(`BackendService ${name}: ready after`, seconds(took), `<= ${readyS} s`, took <= readyS * 1_000);
  }
  await apply(listOf(all));
  for (const { metadata } of all) await isReady(cluster, metadata.name);
}

/** Runs the journeys of tests/e2e through the resources. */
export async function journeys(cluster: Cluster, report: Report): Promise<void> {
  const command = [process.execPath, "-C", "source", "--test", "tests/e2e/test/against-url.ts"];
  const code = await shown(command, { E2E_URL: await gatewayUrl(cluster) });
  report.check(
    "journeys through BackendServices",
    code === 0 ? "passed" : `exit code ${code}`,
    "exit code 0",
    code === 0,
  );
}

/** Returns the address of the gateway's Service. */
export async function gatewayUrl({ kubectl }: Cluster): Promise<string> {
  return `http://${await kubectl("get", "service", "gateway", "--output", "jsonpath={.spec.clusterIP}")}`;
}

/** Applies a resource, and resolves when it is ready and was seen as it is now. */
export async function putReady(cluster: Cluster, name: string, spec: Spec): Promise<void> {
  await cluster.apply(backendService(name, spec));
  await isReady(cluster, name);
}

/** Resolves when a resource is ready and was seen as it is now. */
export async function isReady({ kubectl }: Cluster, name: string): Promise<void> {
  const fields = "{.metadata.generation} {.status.observedGeneration}";
  const ready = '{.status.conditions[?(@.type=="Ready")].status}';
  const isSo = async () => {
    const read = await kubectl("get", "backendservice", name, "--output", `jsonpath=${fields} ${ready}`);
    const [generation, observed, status] = read.split(" ");
    return generation === observed && status === "True";
  };
  await until(isSo, patienceMs, `${name} is ready`);
}

export interface Pod {
  readonly name: string;
  readonly ip: string;
}

/** Returns the pods of a resource that are not on their way out. */
export async function podsOf({ kubectl }: Cluster, name: string): Promise<readonly Pod[]> {
  const selector = `app.kubernetes.io/instance=${name}`;
  const { items } = JSON.parse(await kubectl("get", "pods", "--selector", selector, "--output", "json")) as {
    readonly items: readonly {
      readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
      readonly status: { readonly podIP?: string };
    }[];
  };
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata, status }) => ({ name: metadata.name, ip: status.podIP ?? "" }));
}
