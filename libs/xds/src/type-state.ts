import type { Resource } from "./snapshot.ts";
import { noSubscription, type Subscription, wants } from "./subscription.ts";
import type { ResourceType } from "./types.ts";

/** The knowledge about one resource at a client. */
export interface Held {
  /** The resource that the client accepted. It is undefined if only its version is known. */
  readonly resource?: Resource | undefined;
  /** The version that the client accepted, or undefined if it may hold none. */
  readonly version?: string | undefined;
  /**
   * Resources that the client may hold instead: a NACK of several resources does not say which of
   * them were applied.
   */
  readonly maybe: readonly Resource[];
  /** The time when the client first accepted a version. */
  readonly since: number;
  /** The time since when nothing refers to it and it is not wanted. */
  unusedSince?: number | undefined;
}

/** A response that the client did not answer yet. */
export interface InFlight {
  readonly nonce: string;
  /** All resources of the response, by name. */
  readonly sent: ReadonlyMap<string, Resource>;
  /** Those of them that are news to the client. */
  readonly changed: readonly Resource[];
  readonly removed: readonly string[];
  /** The names that were owed. */
  readonly owed: ReadonlySet<string>;
  readonly at: number;
  /** The revision of the ledger that it was made from. */
  readonly revision: number;
}

/** A rejection of a version by a client. */
export interface Refusal {
  readonly version: string;
  /** The client's reason. */
  readonly error: string;
  /** The time of the NACK. */
  readonly at: number;
}

/** The state of a stream for one type. */
export interface TypeState {
  readonly type: ResourceType;
  /** Undefined before the first request. */
  subscription: Subscription | undefined;
  /** The nonce of the last response. */
  nonce: string;
  /** At most one response is unanswered. */
  inFlight: InFlight | undefined;
  readonly held: Map<string, Held>;
  /** Names to send again even if the client holds them. */
  readonly owed: Set<string>;
  /** The version of each name that the client rejected. */
  readonly parked: Map<string, string>;
  /** The last rejection of each name, with its reason, until the client accepts that version. */
  readonly refusals: Map<string, Refusal>;
  /** Names that were rejected together. Each is sent alone, to find the bad one. */
  readonly suspects: Set<string>;
  /** A response was sent. */
  answered: boolean;
  /** A response was accepted, or the client said that it held nothing before. */
  known: boolean;
  /** The revision of the ledger at which nothing may be sent. */
  frozenAt: number | undefined;
}

/** Returns the state of a type before the first request. */
export function newTypeState(type: ResourceType): TypeState {
  return {
    type,
    subscription: undefined,
    nonce: "",
    inFlight: undefined,
    held: new Map(),
    owed: new Set(),
    parked: new Map(),
    refusals: new Map(),
    suspects: new Set(),
    answered: false,
    known: false,
    frozenAt: undefined,
  };
}

/** Replaces the subscription, and forgets what the client no longer wants. */
export function subscribe(state: TypeState, subscription: Subscription): void {
  state.subscription = subscription;
  for (const names of [state.held, state.owed, state.parked, state.refusals, state.suspects]) {
    for (const name of names.keys()) if (!wants(subscription, name)) names.delete(name);
  }
}

/** Records that the client applied the response in flight. */
export function acknowledge(state: TypeState, fullState: boolean, now: number): void {
  const { inFlight } = state;
  if (inFlight === undefined) return;
  state.inFlight = undefined;
  state.known = true;
  for (const [name, resource] of inFlight.sent) {
    if (!wants(state.subscription ?? noSubscription, name)) continue;
    const before = state.held.get(name);
    const since = before?.version === undefined ? now : before.since;
    state.held.set(name, {
      resource,
      version: resource.version,
      maybe: [],
      since,
      unusedSince: before?.unusedSince,
    });
    state.suspects.delete(name);
    if (state.refusals.get(name)?.version === resource.version) state.refusals.delete(name);
    if (state.parked.get(name) === resource.version) state.parked.delete(name);
  }
  for (const name of inFlight.removed) state.held.delete(name);
  // A full response is all that the client holds.
  if (fullState) for (const name of state.held.keys()) if (!inFlight.sent.has(name)) state.held.delete(name);
}

/**
 * Records that the client rejected the response in flight. Returns the resource that is to blame,
 * or undefined if that is not known yet.
 */
export function reject(state: TypeState, now: number): Resource | undefined {
  const { inFlight } = state;
  if (inFlight === undefined) return undefined;
  state.inFlight = undefined;
  for (const name of inFlight.owed) {
    // The client waits for this name still: its last good version is sent again.
    if (state.held.get(name)?.version !== undefined) state.owed.add(name);
  }
  const [first, ...others] = inFlight.changed;
  // Nothing to park. The removals must not be repeated without end.
  if (first === undefined) for (const name of inFlight.removed) state.held.delete(name);
  if (first === undefined) return undefined;
  for (const name of inFlight.removed) doubt(state, name);
  if (others.length === 0) {
    park(state, first);
    return first;
  }
  for (const resource of inFlight.changed) {
    if (!wants(state.subscription ?? noSubscription, resource.name)) continue;
    const before = state.held.get(resource.name) ?? { maybe: [], since: now };
    state.held.set(resource.name, { ...before, maybe: [...before.maybe, resource] });
    state.suspects.add(resource.name);
  }
  return undefined;
}

/** Records that a rejected response may have removed the resource all the same. */
function doubt(state: TypeState, name: string): void {
  const before = state.held.get(name);
  if (before === undefined) return;
  const { resource, maybe } = before;
  if (resource === undefined) state.owed.add(name);
  else state.held.set(name, { ...before, resource: undefined, version: undefined, maybe: [...maybe, resource] });
}

function park(state: TypeState, { name, version }: Resource): void {
  state.suspects.delete(name);
  if (!wants(state.subscription ?? noSubscription, name)) return;
  state.parked.set(name, version);
  const before = state.held.get(name);
  if (before === undefined) return;
  const maybe = before.maybe.filter((one) => one.version !== version);
  if (before.version === undefined && maybe.length === 0) state.held.delete(name);
  else state.held.set(name, { ...before, maybe });
}
