import { createHash } from "node:crypto";
import { mayReferTo, type ResourceType } from "./types.ts";

/** A mention of another resource by its type and name. */
export interface Reference {
  readonly type: ResourceType;
  readonly name: string;
}

/** An encoded resource. The state machine never reads its bytes. */
export interface Resource extends Reference {
  /** The encoded message, without its `Any`. */
  readonly bytes: Uint8Array;
  /** A hash of the bytes, so that replicas of a control plane agree without talking. */
  readonly version: string;
  /** The resources that this one mentions. */
  readonly references: readonly Reference[];
}

/** A complete set of resources in which every reference is met. */
export interface Snapshot {
  /** The resources by `keyOf`. */
  readonly resources: ReadonlyMap<string, Resource>;
}

/** A set of resources that cannot be a snapshot. It has one line for each problem. */
export class SnapshotError extends Error {
  static {
    this.prototype.name = "SnapshotError";
  }
}

/** Returns the key of a resource in a map. */
export function keyOf({ type, name }: Reference): string {
  return `${type}/${name}`;
}

/** Makes a resource and its version. Throws SnapshotError for a reference its type cannot have. */
export function resource(
  type: ResourceType,
  name: string,
  bytes: Uint8Array,
  references: readonly Reference[] = [],
): Resource {
  if (name === "") throw new SnapshotError(`a ${type} has no name`);
  for (const reference of references) {
    if (mayReferTo[type].includes(reference.type)) continue;
    throw new SnapshotError(`the ${type} "${name}" cannot refer to the ${reference.type} "${reference.name}"`);
  }
  const version = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  return { type, name, bytes, version, references };
}

/** Makes a snapshot. Throws SnapshotError for names used twice and for unmet references. */
export function snapshot(resources: Iterable<Resource>): Snapshot {
  const byKey = new Map<string, Resource>();
  const problems: string[] = [];
  for (const one of resources) {
    if (byKey.has(keyOf(one))) problems.push(`there are two resources of type ${one.type} named "${one.name}"`);
    byKey.set(keyOf(one), one);
  }
  for (const { type, name, references } of byKey.values()) {
    for (const reference of references) {
      if (byKey.has(keyOf(reference))) continue;
      problems.push(`the ${type} "${name}" refers to the ${reference.type} "${reference.name}", which is missing`);
    }
  }
  if (problems.length > 0) throw new SnapshotError(problems.join("\n"));
  return { resources: byKey };
}
