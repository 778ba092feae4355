import type { Ledger } from "./ledger.ts";
import { keyOf } from "./snapshot.ts";
import { noSubscription, wants } from "./subscription.ts";
import type { Refusal, TypeState } from "./type-state.ts";
import type { ResourceType } from "./types.ts";

/** The state of one resource at one client. */
export interface ResourceStatus {
  readonly type: ResourceType;
  readonly name: string;
  /** The version that the client accepted last, or "" if there is none. */
  readonly version: string;
  /**
   * `synced`: the client accepted what it should hold. `unanswered`: the newest version was sent.
   * `unsent`: the newest version waits, or the resource is no longer in the snapshot. `rejected`:
   * the client rejected the newest version.
   */
  readonly status: "synced" | "unanswered" | "unsent" | "rejected";
  /** The rejection, for the status `rejected`. */
  readonly refusal?: Refusal | undefined;
}

/** Returns the state of each resource that a client wants or holds, in the order of the types. */
export function statusOf(states: Iterable<TypeState>, ledger: Ledger): readonly ResourceStatus[] {
  const rejected = new Set(ledger.rejected());
  const effective = ledger.effective ?? new Map();
  const rows: ResourceStatus[] = [];
  for (const { type, subscription = noSubscription, held, inFlight, refusals } of states) {
    const newest = [...effective.values()].filter((one) => one.type === type && wants(subscription, one.name));
    const names = new Set([...held.keys(), ...refusals.keys(), ...newest.map(({ name }) => name)]);
    for (const name of names) {
      const key = keyOf({ type, name });
      const wanted = effective.get(key)?.version;
      const version = held.get(name)?.version ?? "";
      const refusal = refusals.get(name);
      const isRejected = refusal !== undefined && (refusal.version === wanted || rejected.has(key));
      if (isRejected) rows.push({ type, name, version, status: "rejected", refusal });
      else if (inFlight?.changed.some((one) => one.name === name))
        rows.push({ type, name, version, status: "unanswered" });
      else if (version !== "" && version === wanted) rows.push({ type, name, version, status: "synced" });
      // A refusal of a version that is no longer wanted is history.
      else if (version !== "" || wanted !== undefined) rows.push({ type, name, version, status: "unsent" });
    }
  }
  return rows;
}
