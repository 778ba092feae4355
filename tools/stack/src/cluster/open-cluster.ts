import { ownServices, rows, serviceRow } from "../services.ts";
import type { Ended, Replica, Scale, Stack } from "../stack.ts";
import { certificateSecrets } from "./certificates.ts";
import { chartOf, enginesOf, frontValues, release, valuesOf } from "./charts.ts";
import { reachIssuer } from "./issuer.ts";
import { installPlatform, type Platform } from "./platform.ts";
import type { Reach } from "./reach.ts";

const engines = ["postgres", "kafka", "redis"];

/** The longest time until every pod is ready, or gone, on a busy machine. */
const patienceS = 300;
/** The longest time until a namespace is gone. */
const goneS = 180;

export interface ClusterOptions {
  readonly reach: Reach;
  /** The namespace. It must not exist. */
  readonly namespace: string;
  /** The tag of the services' images. */
  readonly tag: string;
  /** The tag of the supplier's image. Default: that of the services. */
  readonly supplierTag?: string;
  /**
   * Leaves the number of pods to the caller. Otherwise the chart's autoscalers decide it.
   */
  readonly isFixed?: boolean;
  /** The number of pods of each service, without autoscalers. */
  readonly replicas?: number;
  /** The chart of the services, if it is not this commit's: a folder or a package. */
  readonly chart?: string;
  /** Arguments of helm about tokens. Default: those of the issuer of the engines for tests. */
  readonly identity?: readonly string[];
  /** More arguments of helm for the services: values. */
  readonly values?: readonly string[];
  /** Puts Envoy and the control plane in front, and lets clients watch EndpointSlices. */
  readonly envoy?: boolean;
  /** Parts that most clusters have, to be installed in the namespace too. */
  readonly platform?: Platform;
}

/** The stack on Kubernetes, with what only this adapter knows. */
export interface ClusterStack extends Stack {
  readonly kind: "cluster";
  readonly namespace: string;
  /** The time that the install of the services took until all were ready. */
  readonly installMs: number;
  /** Warnings of the cluster about the objects, such as those of Pod Security. */
  readonly warnings: readonly string[];
  /** Returns what kubectl printed, in the namespace of this stack. */
  kubectl(...args: readonly string[]): Promise<string>;
  /** Returns the names of the ready pods of a service. */
  readyPods(service: string): Promise<readonly string[]>;
  /** Returns the address of a ready pod of a service. */
  address(service: string): Promise<string>;
  /** Sends an object to a path of the API by POST. */
  create(path: string, object: unknown): Promise<void>;
}

/**
 * Installs the engines for tests and the services in a namespace of their own, which enforces the
 * Pod Security level `restricted`. Resolves when all pods are ready. Disposing removes the
 * namespace.
 */
export async function openCluster(options: ClusterOptions): Promise<ClusterStack> {
  const { reach, namespace } = options;
  const kubectl = (...args: readonly string[]) => reach.kubectl(["--namespace", namespace, ...args]);
  await reach.kubectl(["create", "--filename", "-"], JSON.stringify(namespaceObject(namespace)));
  await using opening = new AsyncDisposableStack();
  opening.defer(async () => void (await removeNamespace(reach, namespace)));
  const secrets = { apiVersion: "v1", kind: "List", items: certificateSecrets(namespace) };
  await reach.kubectl(["create", "--filename", "-"], JSON.stringify(secrets));
  const warnings = await dryRun(options);
  const installMs = await install(options).catch(async (error: unknown) => {
    const state = await unreadyPods(kubectl).catch(String);
    throw new Error(`the stack did not become ready:\n${state}`, { cause: error });
  });
  opening.use(await reachIssuer(kubectl));
  if (options.platform !== undefined) opening.use(await installPlatform(reach, namespace, options.platform));
  const opened = opening.move();

  const workload = (service: string) =>
    isDeployment(service) ? `deployment/${nameOf(service)}` : `statefulset/${nameOf(service)}`;
  const pods = async (service: string) => await podsOf(kubectl, service);
  const addresses = async (service: string) =>
    (await pods(service)).filter(isReady).map(({ status }) => `http://${status.podIP}:${serviceRow(service).port}`);
  const settled = (service: string) =>
    kubectl("rollout", "status", workload(service), `--timeout=${patienceS}s`).then(() => undefined);
  let closing: Promise<void> | undefined;

  return {
    kind: "cluster",
    namespace,
    installMs,
    warnings,
    kubectl,
    readyPods: async (service) => (await pods(service)).filter(isReady).map(({ metadata }) => metadata.name),
    address: async (service) => (await pods(service)).find(isReady)?.status.podIP ?? "",
    create: async (path, object) =>
      void (await reach.kubectl(["create", "--raw", path, "--filename", "-"], JSON.stringify(object))),
    killable: [...rows.map(({ name }) => name as string), ...engines],
    gateways: () => addresses("gateway"),
    supplier: async () => (await addresses("supplier"))[0] ?? "",
    replicas: async (service) => (await pods(service)).map(({ metadata }) => ({ service, name: metadata.name })),
    async kill(service) {
      // An autoscaler leaves a workload of 0 alone.
      await kubectl("scale", workload(service), "--replicas=0");
      // Kubernetes has no SIGKILL alone: SIGTERM goes 1 s before it. With --force the pods would
      // disappear while their processes still run.
      await kubectl("delete", "pod", "--selector", selectorOf(service), "--grace-period=1", `--timeout=${patienceS}s`);
    },
    async restart({ service, name }) {
      const ended = await end({ service, name });
      await settled(service);
      return ended;
    },
    async up(scale: Scale = {}) {
      const all = [...engines, ...rows.map(({ name }) => name as string)];
      await Promise.all(all.map((one) => kubectl("scale", workload(one), `--replicas=${scale[one] ?? 1}`)));
      for (const one of all) await settled(one);
    },
    async stop() {
      const ended: Ended[] = [];
      // The services first, so that none of them loses an engine while it stops.
      for (const group of [rows.map(({ name }) => name as string), engines]) {
        const replicas = (await Promise.all(group.map(async (service) => await listed(service)))).flat();
        const ends = Promise.all(replicas.map((replica) => exitOf(replica)));
        await Promise.all(group.map((one) => kubectl("scale", workload(one), "--replicas=0")));
        ended.push(...(await ends));
      }
      return ended;
    },
    logs: (service, lines = 20) =>
      kubectl("logs", "--selector", selectorOf(service), `--tail=${lines}`, "--all-containers", "--prefix"),
    [Symbol.asyncDispose]: () => (closing ??= opened.disposeAsync()),
  };

  async function listed(service: string): Promise<Replica[]> {
    return (await pods(service)).map(({ metadata }) => ({ service, name: metadata.name }));
  }

  async function end(replica: Replica): Promise<Ended> {
    const ending = exitOf(replica);
    await kubectl("delete", "pod", replica.name, "--wait=false");
    return await ending;
  }

  /** Resolves once the pod is gone, with the exit code that was last seen. */
  async function exitOf(replica: Replica): Promise<Ended> {
    const code = "{.status.containerStatuses[0].state.terminated.exitCode}";
    const watching = new AbortController();
    const select = ["--field-selector", `metadata.name=${replica.name}`, "--output", `jsonpath=${code}{"\\n"}`];
    const seen = reach.watched(["--namespace", namespace, "get", "pod", "--watch", ...select], watching.signal);
    try {
      await kubectl("wait", "--for=delete", `pod/${replica.name}`, `--timeout=${patienceS}s`);
    } finally {
      watching.abort();
    }
    const last = (await seen).split("\n").findLast((line) => line !== "");
    const exit = last === undefined ? null : Number(last);
    return { ...replica, code: exit, clean: exit === 0 || (replica.service === "kafka" && exit === 143) };
  }
}

interface Pod {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

type Kubectl = (...args: readonly string[]) => Promise<string>;

async function podsOf(kubectl: Kubectl, service: string): Promise<readonly Pod[]> {
  const found = await kubectl("get", "pods", "--selector", selectorOf(service), "--output", "json");
  return (JSON.parse(found) as { items: readonly Pod[] }).items;
}

/** Returns the pods, the last lines of those that are not ready, and the cluster's warnings. */
async function unreadyPods(kubectl: Kubectl): Promise<string> {
  const all = (JSON.parse(await kubectl("get", "pods", "--output", "json")) as { items: readonly Pod[] }).items;
  const unready = all.filter((pod) => !isReady(pod)).map(({ metadata }) => metadata.name);
  const logs = unready.map((name) =>
    kubectl("logs", name, "--all-containers", "--prefix", "--tail=10", "--ignore-errors").catch(String),
  );
  const events = kubectl("get", "events", "--field-selector", "type=Warning", "--sort-by=.lastTimestamp");
  return [await kubectl("get", "pods"), ...(await Promise.all(logs)), await events].join("\n");
}

function isReady({ status }: Pod): boolean {
  return status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
}

function isOurs(service: string): boolean {
  return ownServices.some(({ name }) => name === service);
}

function isDeployment(service: string): boolean {
  return service !== "postgres" && service !== "kafka";
}

function nameOf(service: string): string {
  return isOurs(service) ? `${release}-${service}` : service;
}

function selectorOf(service: string): string {
  return `app.kubernetes.io/name=${service}`;
}

/** Returns a namespace that enforces the Pod Security level `restricted`. */
export function namespaceObject(name: string) {
  const level = "restricted";
  const labels = {
    "pod-security.kubernetes.io/enforce": level,
    "pod-security.kubernetes.io/warn": level,
    "app.kubernetes.io/part-of": "plumbline-tests",
  };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

/** Returns the warnings and refusals of the cluster about the objects of both charts. */
async function dryRun(options: ClusterOptions): Promise<readonly string[]> {
  const { reach, namespace } = options;
  const rendered = await Promise.all([
    reach.helm(["template", "engines", ...enginesFor(options), "--namespace", namespace]),
    reach.helm([
      "template",
      release,
      options.chart ?? chartOf(),
      "--namespace",
      namespace,
      ...valuesOf(options.tag, options.identity),
      ...fixed(options),
    ]),
  ]);
  const apply = ["--namespace", namespace, "apply", "--dry-run=server", "--warnings-as-errors", "--filename", "-"];
  try {
    await reach.kubectl(apply, rendered.join("\n---\n"));
    return [];
  } catch (error) {
    return (error as Error).message.split("\n").filter((line) => /warning|error|forbidden/i.test(line));
  }
}

function enginesFor({ tag, supplierTag = tag }: ClusterOptions) {
  return enginesOf(supplierTag);
}

function fixed(options: ClusterOptions) {
  const { namespace, isFixed = false, replicas = isFixed ? 1 : undefined, values = [], platform, envoy } = options;
  return [
    ...frontValues({ envoy: envoy === true, ...(platform?.ingress === true && { ingressClass: namespace }) }),
    ...(replicas === undefined ? [] : ["--set", `autoscaling.metrics=none,pods.replicas=${replicas}`]),
    ...values,
  ];
}

/** Installs both charts, and returns the time that the services took. */
async function install(options: ClusterOptions): Promise<number> {
  const { reach, namespace } = options;
  const wait = ["--namespace", namespace, "--wait", `--timeout=${patienceS}s`];
  await reach.helm(["install", "engines", ...enginesFor(options), ...wait]);
  const began = performance.now();
  await reach.helm([
    "install",
    release,
    options.chart ?? chartOf(),
    ...wait,
    ...valuesOf(options.tag, options.identity),
    ...fixed(options),
  ]);
  return performance.now() - began;
}

/** Removes a namespace, and returns the time until it was gone. */
export async function removeNamespace(reach: Reach, namespace: string): Promise<number> {
  const began = performance.now();
  await reach.kubectl(["delete", "namespace", namespace, "--ignore-not-found", "--wait", `--timeout=${goneS}s`]);
  return performance.now() - began;
}
