import { isServiceError } from "@plumbline/errors";
import { type Kube, type KubeObject, type Resource, recordEvent, resourceOf } from "@plumbline/kube";
import type { Telemetry } from "@plumbline/telemetry";
import type { AgentRounds } from "./ask-agents.ts";
import { desiredObjects, managedBy, manager, type SidecarImages } from "./reconcile/desired-objects.ts";
import { statusOf } from "./reconcile/status-of.ts";
import { apiVersion, BackendService, type BackendServiceStatus, kind, plural } from "./resource/backend-service.ts";
import { type Look, owned, ownerOf } from "./watched.ts";

/** The kinds of objects that a resource may stop to ask for. Those are deleted then. */
const optional = ["RoleBinding", "Role", "NetworkPolicy"];

const controller = "plumbline.dev/operator";

/** The state of an object when it was applied. */
interface Applied {
  readonly desired: string;
  readonly live: string;
}

export interface KeeperOptions {
  readonly reader: Kube;
  readonly writer: Kube;
  readonly look: Look;
  readonly agents: AgentRounds;
  readonly images: SidecarImages;
  /** The process, for events. */
  readonly identity: string;
  readonly logger: Telemetry["logger"];
  /** Called after each write, with the kind of its object. */
  readonly onWrite: (kind: string) => void;
}

/** Brings the cluster to what a resource says: one pass for one key. */
export class ResourceKeeper {
  readonly #options: KeeperOptions;
  readonly #applied = new Map<string, Applied>();
  /** The statuses written last, by key, each with the uid of its resource. */
  readonly #written = new Map<string, { readonly uid: string; readonly status: BackendServiceStatus }>();

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Applies what the resource asks for, deletes what it no longer does, and writes its status. */
  async keep(key: string, working: AbortSignal): Promise<void> {
    const { look, images, agents } = this.#options;
    const [namespace = "", name = ""] = key.split("/");
    const found = look(kind, namespace).get(name);
    if (found === undefined) {
      // The cluster deletes the objects that it owned.
      this.#forget(key);
      return;
    }
    const parsed = BackendService.safeParse(found);
    if (!parsed.success) throw new Error(`${key} does not have the shape of its CRD: is the CRD older than this?`);
    const resource = this.#withLastStatus(key, parsed.data);
    if (resource.metadata.deletionTimestamp !== undefined) return;
    const versions = new Map(
      [...look("Secret", namespace)].map(([secret, object]) => [secret, object.metadata.resourceVersion ?? ""]),
    );
    const live = (of: string) => look(of, namespace).get(name);
    let deployment = live("Deployment");
    let failure: { readonly error: Error; readonly isRefusal: boolean } | undefined;
    const desired = desiredObjects(resource, versions, images);
    for (const object of desired) {
      const of = String(object["kind"]);
      try {
        const now = await this.#apply(key, object, live(of), resource.metadata.uid, working);
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
        await this.#remove(key, of, live(of), resource.metadata.uid, working);
      }
    }
    const pods = await agents.ask(key, resource, versions, working);
    const status = statusOf(
      resource,
      { deployment, versions, pods, refusal },
      new Date().toISOString().replace(/\.\d+/, ""),
    );
    await this.#writeStatus(key, found, resource, status, working);
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Returns the resource with the status that was written last. The watch may be behind with older
   * ones. To go on from those would write them again, and the watch would bring these back in turn.
   */
  #withLastStatus(key: string, resource: BackendService): BackendService {
    const written = this.#written.get(key);
    return written?.uid === resource.metadata.uid ? { ...resource, status: written.status } : resource;
  }

  /** Writes a status that is not the one from before, and events about it. */
  async #writeStatus(
    key: string,
    found: KubeObject,
    resource: BackendService,
    status: BackendServiceStatus,
    working: AbortSignal,
  ): Promise<void> {
    const { namespace, name } = resource.metadata;
    const text = canonical(status);
    if (text === canonical(resource.status)) return;
    await this.#options.writer.applyStatus(
      resourceOf(apiVersion, plural, namespace),
      { apiVersion, kind, metadata: { name }, status: JSON.parse(text) as unknown },
      { manager, force: true, signal: working },
    );
    this.#options.onWrite(kind);
    this.#written.set(key, { uid: resource.metadata.uid, status });
    await this.#tell(found, resource, status, working);
  }

  /** Applies an object unless the server has it as it was after the last apply, and returns it. */
  async #apply(
    key: string,
    object: KubeObject,
    live: KubeObject | undefined,
    uid: string,
    working: AbortSignal,
  ): Promise<KubeObject> {
    const of = String(object["kind"]);
    const known = this.#applied.get(`${of} ${key}`);
    const desired = JSON.stringify(object);
    if (live !== undefined && known?.desired === desired && known.live === contentOf(live)) return live;
    const { apiVersion: api, plural: name } = owned[of] ?? { apiVersion: "", plural: "" };
    const resource = resourceOf(api, name, object.metadata.namespace);
    if (live === undefined || ownerOf(live)?.uid !== uid) await this.#refuseStranger(resource, object, uid, working);
    const now = await this.#options.writer.apply(resource, object, { manager, force: true, signal: working });
    this.#options.onWrite(of);
    this.#applied.set(`${of} ${key}`, { desired, live: contentOf(now) });
    return now;
  }

  /** Deletes an object that the resource owns and no longer asks for. */
  async #remove(
    key: string,
    of: string,
    live: KubeObject | undefined,
    uid: string,
    working: AbortSignal,
  ): Promise<void> {
    if (live === undefined || ownerOf(live)?.uid !== uid) return;
    const { apiVersion: api, plural: name } = owned[of] ?? { apiVersion: "", plural: "" };
    const { namespace, name: object, uid: only } = live.metadata;
    await this.#options.writer.delete(resourceOf(api, name, namespace), object, { uid: only, signal: working });
    this.#options.onWrite(of);
    this.#applied.delete(`${of} ${key}`);
  }

  /** Rejects if an object of this name belongs to somebody else. */
  async #refuseStranger(resource: Resource, object: KubeObject, uid: string, working: AbortSignal) {
    let found: KubeObject;
    try {
      found = await this.#options.reader.get(resource, object.metadata.name, { signal: working });
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
  async #tell(
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
        await recordEvent(this.#options.writer, { ...found, apiVersion, kind }, event, {
          controller,
          instance: this.#options.identity,
          signal: working,
        });
        this.#options.onWrite("Event");
      } catch (error) {
        working.throwIfAborted();
        // The condition says the same, and does not get lost.
        this.#options.logger.warn("event not recorded", { reason: event.reason, error: String(error) });
      }
    }
  }

  #forget(key: string): void {
    this.#written.delete(key);
    this.#options.agents.forget(key);
    for (const of of Object.keys(owned)) this.#applied.delete(`${of} ${key}`);
  }
}

/** The refusal of an object that somebody else has made. */
class StrangerError extends Error {}

/** Returns true for errors that come from the resource and do not pass by themselves. */
function isRefusal(error: Error): boolean {
  return (
    error instanceof StrangerError ||
    (isServiceError(error) && (error.code === "invalid_argument" || error.code === "permission_denied"))
  );
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
