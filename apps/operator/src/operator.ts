import { type BackgroundWork, background, fullJitter, sleep, taskGroup } from "@plumbline/concurrency";
import { type Kube, type KubeObject, type Resource, resourceOf, watchObjects } from "@plumbline/kube";
import type { Telemetry } from "@plumbline/telemetry";
import { agentPort as usualAgentPort } from "./agent/contract.ts";
import { AgentRounds } from "./ask-agents.ts";
import { ResourceKeeper } from "./keep-resource.ts";
import { managedBy, manager, type SidecarImages } from "./reconcile/desired-objects.ts";
import { KeyedQueue } from "./reconcile/keyed-queue.ts";
import { agentLabel } from "./reconcile/secret-agent.ts";
import { apiVersion, kind, plural } from "./resource/backend-service.ts";
import { type Look, type Objects, owned, ownerOf } from "./watched.ts";

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

const backoff = { baseMs: 200, maxMs: 300_000 };
/** The objects of a kind before its first list. */
const nothing: Objects = new Map();
const watchBackoff = { baseMs: 500, maxMs: 15_000 };

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
  const look: Look = (of, namespace) => seen.get(`${of} ${namespace}`) ?? nothing;
  const agents = new AgentRounds({ look, agentPort, addAfter: (key, ms) => queue.addAfter(key, ms) });
  const onWrite = (of: string) => writes.inc({ kind: of });
  const keeper = new ResourceKeeper({ reader, writer, look, agents, images, identity, logger, onWrite });
  const queue = new KeyedQueue({
    workers: 4,
    backoff,
    work: async (key, working) => {
      waiting.set({}, queue.size);
      await keeper.keep(key, working);
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
            if (name === "Pod") agents.forgetPods(before, after);
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

  function countOf(namespace: string): number {
    return [...seen.keys()].filter((key) => key.endsWith(` ${namespace}`)).length;
  }

  function addAll(namespace: string): void {
    for (const name of look(kind, namespace).keys()) add(`${namespace}/${name}`);
  }

  /** Adds the resources that an object belongs to. */
  function touch(name: string, namespace: string, object: KubeObject): void {
    if (name === kind) return add(`${namespace}/${object.metadata.name}`);
    if (name === "Secret") {
      for (const [resource, { spec }] of look(kind, namespace)) {
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
