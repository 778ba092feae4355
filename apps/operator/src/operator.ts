import { type BackgroundWork, background, fullJitter, Semaphore, sleep, taskGroup } from "@plumbline/concurrency";
import { isServiceError } from "@plumbline/errors";
import { type Kube, type KubeObject, type Resource, recordEvent, resourceOf, watchObjects } from "@plumbline/kube";
import type { Telemetry } from "@plumbline/telemetry";
import { z } from "zod";
import { agentPort as usualAgentPort } from "./agent/contract.ts";
import { desiredObjects, managedBy, manager, type SidecarImages } from "./reconcile/desired-objects.ts";
import { KeyedQueue } from "./reconcile/keyed-queue.ts";
import { readVersions } from "./reconcile/read-versions.ts";
import { agentLabel, agentSecrets } from "./reconcile/secret-agent.ts";
import { type AgentPod, statusOf } from "./reconcile/status-of.ts";
import { apiVersion, BackendService, type BackendServiceStatus, kind, plural } from "./resource/backend-service.ts";

export interface OperatorOptions {
  readonly namespaces: readonly string[];
  /** The process, for events: the name of the pod. */
  readonly identity: string;
  /** The time after which every resource is looked at again. */
  readonly resyncMs: number;
  readonly images: SidecarImages;
  /** The port of the pods' agents, if it is not the usual one. */
  readonly agentPort?: number;
}

/** The kinds of objects that the operator makes. */
const owned: Readonly<Record<string, { readonly apiVersion: string; readonly plural: string }>> = {
  ServiceAccount: { apiVersion: "v1", plural: "serviceaccounts" },
  Role: { apiVersion: "rbac.authorization.k8s.io/v1", plural: "roles" },
  RoleBinding: { apiVersion: "rbac.authorization.k8s.io/v1", plural: "rolebindings" },
  Service: { apiVersion: "v1", plural: "services" },
  PodDisruptionBudget: { apiVersion: "policy/v1", plural: "poddisruptionbudgets" },
  Deployment: { apiVersion: "apps/v1", plural: "deployments" },
  NetworkPolicy: { apiVersion: "networking.k8s.io/v1", plural: "networkpolicies" },
  HorizontalPodAutoscaler: { apiVersion: "autoscaling/v2", plural: "horizontalpodautoscalers" },
};

/** The kinds of objects that a resource may stop to ask for. Those are deleted then. */
const optional = ["RoleBinding", "Role", "NetworkPolicy"];

const backoff = { baseMs: 200, maxMs: 300_000 };
/** The times between two questions to agents that are behind. */
const askBackoff = { baseMs: 1_000, maxMs: 60_000 };
/** The most agents of a resource that are asked at a time. */
const maxQuestions = 10;
const watchBackoff = { baseMs: 500, maxMs: 15_000 };
const controller = "plumbline.dev/operator";

type Objects = ReadonlyMap<string, KubeObject>;

/** The state of an object when it was applied. */
interface Applied {
  readonly desired: string;
  readonly live: string;
}

/**
 * Keeps all BackendServices of the namespaces as they say, until the signal aborts. Reads through
 * `reader`, and writes through `writer`, whose check makes sure that this process still leads.
 */
export async function runOperator(
  { reader, writer }: { readonly reader: Kube; readonly writer: Kube },
  { namespaces, identity, resyncMs, images, agentPort = usualAgentPort }: OperatorOptions,
  { logger, metrics }: Pick<Telemetry, "logger" | "metrics">,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const reconciles = metrics.counter("operator_reconciles_total", "Reconciles of a resource.", ["outcome"]);
  const writes = metrics.counter("operator_writes_total", "Writes to the API server, leases apart.", ["kind"]);
  const waiting = metrics.gauge("operator_queue_keys", "Resources that wait for a worker.", []);
  /** The objects seen last, by kind and namespace. Work begins with a namespace's last list. */
  const seen = new Map<string, Objects>();
  const applied = new Map<string, Applied>();
  const statuses = new Map<string, string>();
  /** The versions that agents have said last, by the pods' uids. */
  const said = new Map<string, ReadonlyMap<string, string>>();
  /** The number of times in a row that some agent of a resource was behind. */
  const waits = new Map<string, number>();

  const queue = new KeyedQueue({
    workers: 4,
    backoff,
    work: async (key, working) => {
      waiting.set({}, queue.size);
      await reconcile(key, working);
      reconciles.inc({ outcome: "ok" });
    },
    onFailure: (key, error) => {
      reconciles.inc({ outcome: "failed" });
      logger.warn("reconcile failed, to be repeated", { resource: key, error: String(error) });
    },
  });
  const add = (key: string): void => {
    queue.add(key);
    waiting.set({}, queue.size);
  };

  await taskGroup(
    async (group) => {
      for (const namespace of namespaces) {
        const watched: readonly (readonly [string, Resource])[] = [
          [kind, resourceOf(apiVersion, plural, namespace)],
          ["Secret", { ...resourceOf("v1", "secrets", namespace), isMetadataOnly: true }],
          ["Pod", { ...resourceOf("v1", "pods", namespace), labelSelector: agentLabel }],
          ...Object.entries(owned).map(([name, one]) => {
            const resource = resourceOf(one.apiVersion, one.plural, namespace);
            return [name, { ...resource, labelSelector: `${managedBy}=${manager}` }] as const;
          }),
        ];
        for (const [name, resource] of watched) await group.start(follow(name, namespace, resource, watched.length));
      }
      await group.start(async (running) => {
        await using _resync = background(resync);
        await queue.run({ signal: running });
      });
    },
    { signal },
  ).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });

  /** Watches a resource, and adds the keys of what has changed. */
  function follow(name: string, namespace: string, resource: Resource, count: number): BackgroundWork {
    return async (watching) => {
      let failures = 0;
      for (;;) {
        try {
          for await (const objects of watchObjects(reader, resource, { signal: watching })) {
            failures = 0;
            const before = seen.get(`${name} ${namespace}`);
            const after = new Map(objects.map((object) => [object.metadata.name, object]));
            seen.set(`${name} ${namespace}`, after);
            if (name === "Pod") forgetPods(before, after);
            // The namespace is complete with its last list, and all resources are due then.
            if (before === undefined && countOf(namespace) === count) addAll(namespace);
            else if (before !== undefined) for (const one of changed(before, after)) touch(name, namespace, one);
          }
        } catch (error) {
          watching.throwIfAborted();
          failures += 1;
          logger.warn("watch failed, to be repeated", { resource: resource.path, error: String(error) });
        }
        await sleep(watchBackoff.baseMs + fullJitter(failures, watchBackoff), { signal: watching });
      }
    };
  }

  function forgetPods(before: Objects | undefined, after: Objects): void {
    for (const [pod, { metadata }] of before ?? []) {
      if (after.get(pod)?.metadata.uid !== metadata.uid) said.delete(metadata.uid ?? "");
    }
  }

  function countOf(namespace: string): number {
    return [...seen.keys()].filter((key) => key.endsWith(` ${namespace}`)).length;
  }

  function addAll(namespace: string): void {
    for (const name of seen.get(`${kind} ${namespace}`)?.keys() ?? []) add(`${namespace}/${name}`);
  }

  /** Adds the resources that an object belongs to. */
  function touch(name: string, namespace: string, object: KubeObject): void {
    if (name === kind) return add(`${namespace}/${object.metadata.name}`);
    if (name === "Secret") {
      for (const [resource, { spec }] of seen.get(`${kind} ${namespace}`) ?? []) {
        const { secrets = [] } = spec as { readonly secrets?: readonly { readonly secretRef: string }[] };
        if (secrets.some(({ secretRef }) => secretRef === object.metadata.name)) add(`${namespace}/${resource}`);
      }
      return;
    }
    if (name === "Pod") {
      const { labels = {} } = object.metadata as { readonly labels?: Readonly<Record<string, string>> };
      return add(`${namespace}/${labels["app.kubernetes.io/instance"] ?? ""}`);
    }
    const owner = ownerOf(object);
    if (owner !== undefined) add(`${namespace}/${owner.name}`);
  }

  async function resync(running: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(resyncMs * (0.9 + Math.random() / 5), { signal: running });
      for (const namespace of namespaces) addAll(namespace);
    }
  }

  async function reconcile(key: string, working: AbortSignal): Promise<void> {
    const [namespace = "", name = ""] = key.split("/");
    const found = seen.get(`${kind} ${namespace}`)?.get(name);
    if (found === undefined) {
      // The cluster deletes the objects that it owned.
      forget(key);
      return;
    }
    const parsed = BackendService.safeParse(found);
    if (!parsed.success) throw new Error(`${key} does not have the shape of its CRD: is the CRD older than this?`);
    const resource = parsed.data;
    if (resource.metadata.deletionTimestamp !== undefined) return;
    const versions = new Map(
      [...(seen.get(`Secret ${namespace}`) ?? [])].map(([secret, object]) => [
        secret,
        object.metadata.resourceVersion ?? "",
      ]),
    );
    const live = (of: string) => seen.get(`${of} ${namespace}`)?.get(name);
    let deployment = live("Deployment");
    let failure: { readonly error: Error; readonly isRefusal: boolean } | undefined;
    const desired = desiredObjects(resource, versions, images);
    for (const object of desired) {
      const of = String(object["kind"]);
      try {
        const now = await keep(key, object, live(of), resource.metadata.uid, working);
        if (of === "Deployment") deployment = now;
      } catch (error) {
        working.throwIfAborted();
        if (!(error instanceof Error)) throw error;
        failure = { error, isRefusal: isRefusal(error) };
        break;
      }
    }
    // A server that is away says nothing about the resource.
    if (failure !== undefined && !failure.isRefusal) throw failure.error;
    const refusal = failure?.error.message;
    if (failure === undefined) {
      for (const of of optional.filter((one) => !desired.some((object) => object["kind"] === one))) {
        await removeOwned(key, of, live(of), resource.metadata.uid, working);
      }
    }
    const pods = await agentPods(key, resource, versions, working);
    const status = statusOf(
      resource,
      { deployment, versions, pods, refusal },
      new Date().toISOString().replace(/\.\d+/, ""),
    );
    const text = JSON.stringify(status);
    const known = statuses.get(key) ?? canonical(resource.status);
    if (canonical(status) !== known) {
      await writer.applyStatus(
        resourceOf(apiVersion, plural, namespace),
        { apiVersion, kind, metadata: { name }, status: JSON.parse(text) as unknown },
        { manager, force: true, signal: working },
      );
      writes.inc({ kind });
      statuses.set(key, canonical(status));
      await tell(found, resource, status, working);
    }
    if (failure !== undefined) throw failure.error;
  }

  /** Applies an object unless the server has it as it was after the last apply, and returns it. */
  async function keep(
    key: string,
    object: KubeObject,
    live: KubeObject | undefined,
    uid: string,
    working: AbortSignal,
  ): Promise<KubeObject> {
    const of = String(object["kind"]);
    const known = applied.get(`${of} ${key}`);
    const desired = JSON.stringify(object);
    if (live !== undefined && known?.desired === desired && known.live === contentOf(live)) return live;
    const { apiVersion: api, plural: name } = owned[of] ?? { apiVersion: "", plural: "" };
    const resource = resourceOf(api, name, object.metadata.namespace);
    if (live === undefined || ownerOf(live)?.uid !== uid) await refuseStranger(resource, object, uid, working);
    const now = await writer.apply(resource, object, { manager, force: true, signal: working });
    writes.inc({ kind: of });
    applied.set(`${of} ${key}`, { desired, live: contentOf(now) });
    return now;
  }

  /** Deletes an object that the resource owns and no longer asks for. */
  async function removeOwned(
    key: string,
    of: string,
    live: KubeObject | undefined,
    uid: string,
    working: AbortSignal,
  ): Promise<void> {
    if (live === undefined || ownerOf(live)?.uid !== uid) return;
    const { apiVersion: api, plural: name } = owned[of] ?? { apiVersion: "", plural: "" };
    const { namespace, name: object, uid: only } = live.metadata;
    await writer.delete(resourceOf(api, name, namespace), object, { uid: only, signal: working });
    writes.inc({ kind: of });
    applied.delete(`${of} ${key}`);
  }

  /**
   * Returns the pods with an agent, and what each has written. It asks those that are behind, and
   * looks at the resource again soon if one still is.
   */
  async function agentPods(
    key: string,
    resource: BackendService,
    versions: ReadonlyMap<string, string>,
    working: AbortSignal,
  ): Promise<readonly AgentPod[]> {
    const secrets = agentSecrets(resource);
    if (secrets.length === 0) return [];
    const { namespace, name } = resource.metadata;
    const found = [...(seen.get(`Pod ${namespace}`)?.values() ?? [])].flatMap((object) => {
      const pod = AgentPodObject.safeParse(object);
      const isOurs = pod.success && pod.data.metadata.labels["app.kubernetes.io/instance"] === name;
      return isOurs && pod.data.metadata.deletionTimestamp === undefined ? [pod.data] : [];
    });
    const isLate = ({ metadata: { uid } }: AgentPodObject) =>
      secrets.some((secret) => said.get(uid)?.get(secret.name) !== versions.get(secret.secretRef));
    const late = found.filter(isLate);
    const places = new Semaphore(maxQuestions);
    await Promise.all(
      late.map(async ({ metadata: { uid }, status: { podIP } }) => {
        if (podIP === undefined) return;
        using _place = await places.acquire({ signal: working });
        const answer = await readVersions(podIP, agentPort, { signal: working });
        if (answer !== undefined) said.set(uid, answer);
      }),
    );
    working.throwIfAborted();
    const waited = late.some(isLate) ? (waits.get(key) ?? 0) + 1 : 0;
    waits.set(key, waited);
    if (waited > 0) queue.addAfter(key, Math.min(askBackoff.maxMs, askBackoff.baseMs * 2 ** (waited - 1)));
    return found
      .map(({ metadata }) => ({ name: metadata.name, versions: said.get(metadata.uid) ?? new Map<string, string>() }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Rejects if an object of this name belongs to somebody else. */
  async function refuseStranger(resource: Resource, object: KubeObject, uid: string, working: AbortSignal) {
    let found: KubeObject;
    try {
      found = await reader.get(resource, object.metadata.name, { signal: working });
    } catch (error) {
      if (isServiceError(error) && error.code === "not_found") return;
      throw error;
    }
    const owner = ownerOf(found);
    const labels = (found.metadata as { readonly labels?: Readonly<Record<string, string>> }).labels ?? {};
    if (owner?.uid === uid || (owner === undefined && labels[managedBy] === manager)) return;
    throw new StrangerError(
      `the ${String(object["kind"])} ${object.metadata.name} exists and ${owner === undefined ? "has no owner" : `belongs to ${owner.kind} ${owner.name}`}: delete it, or give the BackendService another name`,
    );
  }

  /** Creates an event for each condition that has changed in a way that people want to know. */
  async function tell(
    found: KubeObject,
    resource: BackendService,
    { conditions = [] }: BackendServiceStatus,
    working: AbortSignal,
  ): Promise<void> {
    for (const type of ["Ready", "Stalled"]) {
      const before = resource.status?.conditions?.find((one) => one.type === type);
      const after = conditions.find((one) => one.type === type);
      const isNews = after?.status === "True" && before?.status !== "True";
      if (after === undefined || !isNews) continue;
      const event = {
        type: type === "Ready" ? "Normal" : "Warning",
        reason: type === "Ready" ? "Ready" : after.reason,
        action: "Reconcile",
        message: after.message,
      } as const;
      try {
        await recordEvent(writer, { ...found, apiVersion, kind }, event, {
          controller,
          instance: identity,
          signal: working,
        });
        writes.inc({ kind: "Event" });
      } catch (error) {
        working.throwIfAborted();
        // The condition says the same, and does not get lost.
        logger.warn("event not recorded", { reason: event.reason, error: String(error) });
      }
    }
  }

  function forget(key: string): void {
    statuses.delete(key);
    waits.delete(key);
    for (const of of Object.keys(owned)) applied.delete(`${of} ${key}`);
  }
}

const AgentPodObject = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    labels: z.record(z.string(), z.string()),
    deletionTimestamp: z.string().optional(),
  }),
  status: z.object({ podIP: z.string().optional() }).prefault({}),
});
type AgentPodObject = z.output<typeof AgentPodObject>;

/** The refusal of an object that somebody else has made. */
class StrangerError extends Error {}

/** Returns true for errors that come from the resource and do not pass by themselves. */
function isRefusal(error: Error): boolean {
  return (
    error instanceof StrangerError ||
    (isServiceError(error) && (error.code === "invalid_argument" || error.code === "permission_denied"))
  );
}

interface Owner {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

function ownerOf({ metadata }: KubeObject): Owner | undefined {
  const { ownerReferences = [] } = metadata as { readonly ownerReferences?: readonly Owner[] };
  return ownerReferences.find(({ controller: isController }) => isController === true);
}

/** Yields the objects that were added or removed, or have another version. */
function* changed(before: Objects, after: Objects): Generator<KubeObject> {
  for (const [name, object] of after) {
    const old = before.get(name);
    if (old?.metadata.resourceVersion !== object.metadata.resourceVersion) yield object;
    // Its owner may have been removed by the change.
    if (old !== undefined && ownerOf(old)?.uid !== ownerOf(object)?.uid) yield old;
  }
  for (const [name, object] of before) if (!after.has(name)) yield object;
}

/** Returns what an object says, without what others and the server write to it all the time. */
function contentOf({ metadata, spec, ...rest }: KubeObject): string {
  const { labels, annotations, ownerReferences } = metadata as Readonly<Record<string, unknown>>;
  const { status: _, apiVersion: _a, kind: _k, ...other } = rest;
  const { replicas: _r, ...kept } = (spec ?? {}) as Readonly<Record<string, unknown>>;
  return canonical({ labels, annotations, ownerReferences, spec: kept, other });
}

/** Returns the value as JSON whose keys are in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
