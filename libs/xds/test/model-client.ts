import type { DeltaRequest, DeltaResponse, SotwRequest, SotwResponse } from "../src/messages.ts";
import { keyOf, type Resource } from "../src/snapshot.ts";
import { type ResourceType, resourceTypes } from "../src/types.ts";

/** A client that subscribes as Envoy does: clusters and listeners by wildcard, the rest by name. */
export interface ModelClient<Request, Response> {
  /** Requests that were not delivered to the server yet. */
  readonly outbox: Request[];
  /** The requests that start a stream. They forget what was in the outbox. */
  connect(): void;
  receive(response: Response): void;
  readonly held: Readonly<Record<ResourceType, ReadonlyMap<string, Resource>>>;
  /** Clusters that got no endpoints since they changed. */
  readonly warming: ReadonlySet<string>;
  /** The keys of the resources that were bad at some time. */
  readonly rejected: ReadonlySet<string>;
  /** The keys of the resources that arrived and were not applied: bad ones, and those with them. */
  readonly dropped: ReadonlySet<string>;
  /**
   * The keys that rejected responses refer to, and those that the resources before them refer to.
   * The server cannot know which of them the client applied.
   */
  readonly doubted: ReadonlySet<string>;
  /** Rejected resources, by type, name and version, and the number of times. */
  readonly rejections: ReadonlyMap<string, number>;
}

/** The types that a client subscribes to by name. */
const byName = ["endpoints", "secret", "route"] as const;

/** Returns true for a resource that the clients reject. */
export function isBad({ bytes }: Resource): boolean {
  return new TextDecoder().decode(bytes).includes("bad");
}

interface Core {
  readonly held: Record<ResourceType, Map<string, Resource>>;
  readonly warming: Set<string>;
  readonly rejected: Set<string>;
  readonly dropped: Set<string>;
  readonly doubted: Set<string>;
  readonly rejections: Map<string, number>;
  /** Applies what is good. Returns the error of what is not. */
  apply(type: ResourceType, resources: readonly Resource[], gone: readonly string[]): string | undefined;
  /** The names that the held resources refer to. */
  wanted(type: ResourceType): string[];
}

function core(partial: boolean): Core {
  const held: Core["held"] = {
    cluster: new Map(),
    endpoints: new Map(),
    secret: new Map(),
    listener: new Map(),
    route: new Map(),
  };
  const warming = new Set<string>();
  const rejected = new Set<string>();
  const dropped = new Set<string>();
  const doubted = new Set<string>();
  const rejections = new Map<string, number>();
  return {
    held,
    warming,
    rejected,
    dropped,
    doubted,
    rejections,
    apply(type, resources, gone) {
      const bad = resources.filter(isBad);
      for (const { name, version } of bad) {
        rejected.add(`${type}/${name}`);
        const key = `${type}/${name}/${version}`;
        rejections.set(key, (rejections.get(key) ?? 0) + 1);
      }
      if (bad.length > 0) {
        const before = [...resources.map(({ name }) => name), ...gone].map((name) => held[type].get(name));
        for (const one of [...resources, ...before]) for (const to of one?.references ?? []) doubted.add(keyOf(to));
      }
      for (const one of bad.length === 0 || partial ? bad : resources) dropped.add(keyOf(one));
      // Envoy applies the good clusters and listeners of a response that it rejects.
      if (bad.length === 0 || partial) {
        for (const resource of resources) {
          if (isBad(resource)) continue;
          const before = held[type].get(resource.name);
          held[type].set(resource.name, resource);
          if (type === "cluster" && before?.version !== resource.version) {
            if (resource.references.some((reference) => reference.type === "endpoints")) warming.add(resource.name);
            else warming.delete(resource.name);
          }
          if (type === "endpoints") {
            for (const cluster of held.cluster.values()) {
              if (cluster.references.some((reference) => reference.type === type && reference.name === resource.name))
                warming.delete(cluster.name);
            }
          }
        }
        for (const name of gone) {
          held[type].delete(name);
          if (type === "cluster") warming.delete(name);
        }
      }
      return bad.length === 0 ? undefined : `bad: ${bad.map(({ name }) => name).join(" ")}`;
    },
    wanted: (type) =>
      [
        ...new Set(
          resourceTypes.flatMap((from) =>
            [...held[from].values()].flatMap(({ references }) =>
              references.filter((reference) => reference.type === type).map(({ name }) => name),
            ),
          ),
        ),
      ].toSorted(),
  };
}

/** Creates a client of the SotW variant. `partial` applies the good part of a rejected response. */
export function sotwClient(partial: boolean): ModelClient<SotwRequest, SotwResponse> {
  const state = core(partial);
  const outbox: SotwRequest[] = [];
  const accepted = new Map<ResourceType, string>();
  const nonces = new Map<ResourceType, string>();
  const subscribed = new Map<ResourceType, string>();

  function request(type: ResourceType, error?: string): void {
    const names = type === "cluster" || type === "listener" ? [] : state.wanted(type);
    subscribed.set(type, names.join(" "));
    outbox.push({ type, names, version: accepted.get(type) ?? "", nonce: nonces.get(type) ?? "", error });
  }

  function follow(): void {
    for (const type of byName) {
      const names = state.wanted(type);
      for (const name of state.held[type].keys()) if (!names.includes(name)) state.held[type].delete(name);
      if ((subscribed.get(type) ?? "") !== names.join(" ")) request(type);
    }
  }

  return {
    ...state,
    outbox,
    connect() {
      outbox.length = 0;
      nonces.clear();
      subscribed.clear();
      for (const type of resourceTypes) {
        if (type === "cluster" || type === "listener" || state.wanted(type).length > 0) request(type);
      }
    },
    receive({ type, nonce, version, resources }) {
      const names = resources.map(({ name }) => name);
      const all = type === "cluster" || type === "listener";
      const gone = all ? [...state.held[type].keys()].filter((name) => !names.includes(name)) : [];
      const error = state.apply(type, resources, gone);
      nonces.set(type, nonce);
      if (error === undefined) accepted.set(type, version);
      request(type, error);
      follow();
    },
  };
}

/** Creates a client of the delta variant. */
export function deltaClient(partial: boolean): ModelClient<DeltaRequest, DeltaResponse> {
  const state = core(partial);
  const outbox: DeltaRequest[] = [];
  const subscribed: Record<(typeof byName)[number], Set<string>> = {
    endpoints: new Set(),
    secret: new Set(),
    route: new Set(),
  };
  const opened = new Set<ResourceType>();

  function request(type: ResourceType, part: Partial<DeltaRequest>): void {
    const first = !opened.has(type);
    opened.add(type);
    const initialVersions = first
      ? Object.fromEntries([...state.held[type].values()].map(({ name, version }) => [name, version]))
      : undefined;
    outbox.push({ type, subscribe: [], unsubscribe: [], nonce: "", initialVersions, ...part });
  }

  /** Subscribes to what is referred to, and again to the endpoints of the clusters that changed. */
  function follow(changed: readonly string[]): void {
    for (const type of byName) {
      const names = state.wanted(type);
      const unsubscribe = [...subscribed[type]].filter((name) => !names.includes(name));
      const subscribe = names.filter(
        (name) => !subscribed[type].has(name) || (type === "endpoints" && changed.includes(name)),
      );
      if (subscribe.length === 0 && unsubscribe.length === 0) continue;
      for (const name of unsubscribe) state.held[type].delete(name);
      subscribed[type] = new Set(names);
      request(type, { subscribe, unsubscribe });
    }
  }

  return {
    ...state,
    outbox,
    connect() {
      outbox.length = 0;
      opened.clear();
      request("cluster", {});
      request("listener", {});
      for (const names of Object.values(subscribed)) names.clear();
      follow([]);
    },
    receive({ type, nonce, resources: sent, removed }) {
      // A response may cross the client's unsubscription. It ignores what it no longer wants.
      const resources =
        type === "cluster" || type === "listener" ? sent : sent.filter(({ name }) => subscribed[type].has(name));
      const error = state.apply(type, resources, removed);
      request(type, { nonce, error });
      follow(type === "cluster" ? resources.flatMap(({ references }) => references.map(({ name }) => name)) : []);
    },
  };
}
