import { keyOf, type Reference, type Resource, type Snapshot } from "./snapshot.ts";
import type { ResourceType } from "./types.ts";

/**
 * The state that all streams of a control plane share: the snapshot, the versions that clients
 * rejected, and the last good version of each resource.
 */
export interface Ledger {
  /** Replaces the snapshot. */
  put(snapshot: Snapshot): void;
  /**
   * The resources to send, by `keyOf`: of each name the newest version that no client rejected or
   * some client accepted. Every reference is met. It is undefined before the first snapshot.
   */
  readonly effective: ReadonlyMap<string, Resource> | undefined;
  /** A number that grows whenever `effective` changes. */
  readonly revision: number;
  /**
   * Returns true if the snapshot has the key. It may be missing in `effective`, where no version of
   * it is acceptable: such a resource is neither sent nor removed.
   */
  has(key: string): boolean;
  /** Returns true if each name of the type in the snapshot has an acceptable version. */
  complete(type: ResourceType): boolean;
  /** Records that a client accepted the resource. */
  accept(resource: Resource): void;
  /** Records that a client rejected the resource. */
  reject(resource: Resource): void;
  /** Returns the keys of the snapshot whose newest version is rejected. */
  rejected(): readonly string[];
}

interface Entry {
  /** The last version that a client accepted. */
  readonly good?: Resource | undefined;
  /** A version that clients rejected and none accepted. */
  readonly rejected?: string | undefined;
}

/** Creates a ledger without a snapshot. */
export function createLedger(): Ledger {
  const entries = new Map<string, Entry>();
  let current: ReadonlyMap<string, Resource> | undefined;
  let effective: ReadonlyMap<string, Resource> | undefined;
  let revision = 0;

  /** Computes the effective resources, and forgets entries that nothing can need again. */
  function settle(): void {
    if (current === undefined) return;
    const next = choose(current, entries);
    const kept = reachable(current, entries);
    for (const key of entries.keys()) if (!kept.has(key)) entries.delete(key);
    if (effective !== undefined && same(effective, next)) return;
    effective = next;
    revision += 1;
  }

  return {
    put(snapshot) {
      current = snapshot.resources;
      settle();
    },
    get effective() {
      return effective;
    },
    get revision() {
      return revision;
    },
    accept(resource) {
      const key = keyOf(resource);
      const entry = entries.get(key);
      const newest = current?.get(key)?.version;
      // A late answer to an older version must not replace a newer one.
      if (entry?.good !== undefined && newest !== resource.version) return;
      if (entry?.good?.version === resource.version && entry.rejected !== resource.version) return;
      const rejected = entry?.rejected === resource.version ? undefined : entry?.rejected;
      entries.set(key, { good: resource, rejected });
      // Otherwise the newest version is in use already, and nothing changes.
      if (entry?.rejected !== undefined || newest !== resource.version) settle();
    },
    reject(resource) {
      const key = keyOf(resource);
      const entry = entries.get(key);
      if (entry?.good?.version === resource.version) return;
      entries.set(key, { ...entry, rejected: resource.version });
      settle();
    },
    has: (key) => current?.has(key) === true,
    complete: (type) => [...(current ?? [])].every(([key, one]) => one.type !== type || effective?.has(key) === true),
    rejected: () =>
      [...(current ?? [])].filter(([key, { version }]) => entries.get(key)?.rejected === version).map(([key]) => key),
  };
}

/**
 * Returns a version of each resource of the snapshot, with everything that these refer to. A name
 * without an acceptable version whose references are met is left out.
 */
function choose(
  snapshot: ReadonlyMap<string, Resource>,
  entries: ReadonlyMap<string, Entry>,
): ReadonlyMap<string, Resource> {
  const chosen = new Map<string, Resource | undefined>();
  // References make no cycle, so the recursion ends; see `mayReferTo`.
  function resolve(key: string): Resource | undefined {
    if (chosen.has(key)) return chosen.get(key);
    const entry = entries.get(key);
    const newest = snapshot.get(key);
    const candidates = [newest?.version === entry?.rejected ? undefined : newest, entry?.good];
    const found = candidates.find((one) => one?.references.every((reference) => resolve(keyOf(reference))));
    chosen.set(key, found);
    return found;
  }
  const needed = new Map<string, Resource>();
  function need(key: string): void {
    const found = needed.has(key) ? undefined : resolve(key);
    if (found === undefined) return;
    needed.set(key, found);
    for (const reference of found.references) need(keyOf(reference));
  }
  for (const key of snapshot.keys()) need(key);
  return needed;
}

/** Returns the keys of the snapshot, with those that their last good versions refer to. */
function reachable(snapshot: ReadonlyMap<string, Resource>, entries: ReadonlyMap<string, Entry>): ReadonlySet<string> {
  const keys = new Set<string>();
  const visit = (key: string): void => {
    if (keys.has(key)) return;
    keys.add(key);
    const references: readonly Reference[] = entries.get(key)?.good?.references ?? [];
    for (const reference of references) visit(keyOf(reference));
  };
  for (const key of snapshot.keys()) visit(key);
  return keys;
}

function same(first: ReadonlyMap<string, Resource>, second: ReadonlyMap<string, Resource>): boolean {
  if (first.size !== second.size) return false;
  return [...first].every(([key, { version }]) => second.get(key)?.version === version);
}
