import { createHash } from "node:crypto";
import type { Ledger } from "./ledger.ts";
import type { DeltaRequest, DeltaResponse, SotwRequest, SotwResponse } from "./messages.ts";
import { keyOf, type Resource } from "./snapshot.ts";
import { type ResourceStatus, statusOf } from "./status.ts";
import { afterDelta, afterSotw, noSubscription, type Subscription, SubscriptionError, wants } from "./subscription.ts";
import { acknowledge, type Held, newTypeState, reject, subscribe, type TypeState } from "./type-state.ts";
import { isFullState, isSentBefore, mayReferTo, type ResourceType, resourceTypes } from "./types.ts";

/** The waits of a stream. */
export interface Timings {
  /** The longest time that a resource waits for the answers about those that it refers to. */
  readonly holdMs: number;
  /** The time that a cluster stays at a client after nothing refers to it any longer. */
  readonly lingerMs: number;
  /** The time between the client's answers about a new cluster and the first route to it. */
  readonly settleMs: number;
}

export const defaultTimings: Timings = { holdMs: 5_000, lingerMs: 30_000, settleMs: 0 };

/** The most names that a client may subscribe to, of one type. */
export const mostNames = 10_000;

/** The meaning of a request. */
export type StreamEvent =
  | { readonly kind: "subscribed" | "accepted" | "stale"; readonly type: ResourceType }
  | {
      readonly kind: "rejected";
      readonly type: ResourceType;
      /** The resources of the response that were news to the client. */
      readonly names: readonly string[];
      readonly error: string;
    };

/**
 * A stream of one client over all types: the ADS protocol without its bytes. The caller passes each
 * request to `receive`, then sends what `next` returns until that is undefined. It does so again
 * when the ledger changes and at `wakeAt`.
 */
export interface AdsStream<Request, Response> {
  /** Throws SubscriptionError if the client subscribes to too many names. */
  receive(request: Request, now: number): StreamEvent;
  next(now: number): Response | undefined;
  /** The time at which `next` may return something without another event. */
  readonly wakeAt: number | undefined;
  /** Returns the state of each resource at the client, for a person who looks for a fault. */
  status(): readonly ResourceStatus[];
}

type Variant = "sotw" | "delta";

/** Opens a stream of the variant on the ledger, without I/O, timers or a clock. */
export function openStream(
  variant: "sotw",
  ledger: Ledger,
  timings?: Partial<Timings>,
): AdsStream<SotwRequest, SotwResponse>;
export function openStream(
  variant: "delta",
  ledger: Ledger,
  timings?: Partial<Timings>,
): AdsStream<DeltaRequest, DeltaResponse>;
export function openStream(
  variant: Variant,
  ledger: Ledger,
  timings: Partial<Timings> = {},
): AdsStream<SotwRequest & DeltaRequest, SotwResponse & DeltaResponse> {
  const { holdMs, lingerMs, settleMs } = { ...defaultTimings, ...timings };
  const states = Object.fromEntries(resourceTypes.map((type) => [type, newTypeState(type)])) as Record<
    ResourceType,
    TypeState
  >;
  let nonces = 0;
  let wakeAt: number | undefined;

  const full = (type: ResourceType): boolean => variant === "sotw" && isFullState(type);

  function wake(at: number): void {
    wakeAt = Math.min(at, wakeAt ?? at);
  }

  /** Applies an ACK or a NACK of the response in flight. */
  function settle(state: TypeState, error: string | undefined, now: number): StreamEvent {
    const { type, inFlight } = state;
    if (inFlight === undefined) return { kind: "subscribed", type };
    const { changed } = inFlight;
    if (error === undefined) {
      acknowledge(state, full(type), now);
      for (const resource of changed) ledger.accept(resource);
      return { kind: "accepted", type };
    }
    for (const name of state.refusals.keys()) if (!ledger.has(keyOf({ type, name }))) state.refusals.delete(name);
    for (const { name, version } of changed) state.refusals.set(name, { version, error, at: now });
    const mayHoldOlder = full(type) && !state.known;
    // The resources of an earlier stream are still to be replaced.
    if (mayHoldOlder) state.answered = false;
    if (mayHoldOlder && changed.length > 1) {
      // A response without one of them would remove it, so the bad one cannot be looked for.
      state.inFlight = undefined;
      state.frozenAt = inFlight.revision;
    } else {
      const blamed = reject(state, now);
      if (blamed !== undefined) ledger.reject(blamed);
    }
    return { kind: "rejected", type, names: changed.map(({ name }) => name), error };
  }

  function receiveSotw({ type, names, version, nonce, error }: SotwRequest, now: number): StreamEvent {
    const state = states[type];
    const first = state.subscription === undefined;
    // The answer to an older response. Another one follows, with all names.
    if (!first && nonce !== "" && nonce !== state.nonce) return { kind: "stale", type };
    const event: StreamEvent = first || nonce === "" ? { kind: "subscribed", type } : settle(state, error, now);
    if (first) state.known = version === "";
    subscribe(state, bounded(type, afterSotw(type, state.subscription, names)));
    return event;
  }

  function receiveDelta(request: DeltaRequest, now: number): StreamEvent {
    const { type, nonce } = request;
    const state = states[type];
    const first = state.subscription === undefined;
    const answers = state.inFlight !== undefined && nonce === state.inFlight.nonce;
    // A change of the subscription counts even in the answer to an older response.
    const event: StreamEvent = answers
      ? settle(state, request.error, now)
      : { kind: nonce === "" || first ? "subscribed" : "stale", type };
    subscribe(state, bounded(type, afterDelta(type, state.subscription, request)));
    if (first) adopt(state, request.initialVersions ?? {}, now);
    else for (const name of [...request.subscribe, ...request.unsubscribe]) owe(state, name);
    for (const name of request.subscribe) if (!state.held.has(name)) owe(state, name);
    return event;
  }

  /** Takes over what the client holds from an earlier stream. */
  function adopt(state: TypeState, versions: Readonly<Record<string, string>>, now: number): void {
    for (const [name, version] of Object.entries(versions)) {
      if (!wants(state.subscription ?? noSubscription, name)) continue;
      const known = ledger.effective?.get(keyOf({ type: state.type, name }));
      const resource = known?.version === version ? known : undefined;
      state.held.set(name, { resource, version, maybe: [], since: now });
      if (resource !== undefined) ledger.accept(resource);
    }
  }

  function owe(state: TypeState, name: string): void {
    if (name !== "*" && wants(state.subscription ?? noSubscription, name)) state.owed.add(name);
  }

  /**
   * Returns true if everything that is sent before the resource, and that it mentions, has arrived.
   * A client that subscribes by name asks for references itself.
   */
  function ready(resource: Resource, now: number): boolean {
    return resource.references.every(({ type, name }) => {
      const state = states[type];
      if (!isSentBefore(type, resource.type) || (state.subscription?.wildcard ?? "none") === "none") return true;
      // The client may have removed it already.
      if (state.inFlight?.removed.includes(name) === true) return false;
      const held = state.held.get(name);
      const at = held?.version === undefined ? sentFor(state, name) : usableAt(held);
      if (at === undefined) return false;
      if (at > now) wake(at);
      return at <= now;
    });
  }

  /** Returns the time at which the wait for an answer is over, or undefined if nothing was sent. */
  function sentFor({ inFlight }: TypeState, name: string): number | undefined {
    return inFlight?.sent.has(name) === true ? inFlight.at + holdMs : undefined;
  }

  /** Returns the time from which a client can use what it holds: once its endpoints arrived too. */
  function usableAt({ resource, since }: Held): number {
    const arrivals = (resource?.references ?? []).map(({ type, name }) => {
      const held = states[type].held.get(name);
      return held?.version === undefined ? since + holdMs : held.since;
    });
    const arrived = Math.max(since, ...arrivals);
    return Math.min(arrived + settleMs, since + Math.max(holdMs, settleMs));
  }

  /**
   * Returns the keys that the client's resources refer to, and the types that unknown resources may
   * refer to.
   */
  function used(): { readonly keys: ReadonlySet<string>; readonly types: ReadonlySet<ResourceType> } {
    const keys = new Set<string>();
    const types = new Set<ResourceType>();
    for (const { type, held, inFlight } of Object.values(states)) {
      for (const { resource, version, maybe } of held.values()) {
        if (version !== undefined && resource === undefined) for (const to of mayReferTo[type]) types.add(to);
        for (const one of [resource, ...maybe]) for (const to of one?.references ?? []) keys.add(keyOf(to));
      }
      for (const { references } of inFlight?.sent.values() ?? []) for (const to of references) keys.add(keyOf(to));
    }
    return { keys, types };
  }

  /** Returns the resources to send that are ready, and the number of those that are not. */
  function toSend(state: TypeState, subscription: Subscription, now: number): { ready: Resource[]; waiting: number } {
    const sends: Resource[] = [];
    let waiting = 0;
    for (const newest of wanted(state.type, subscription)) {
      const { name } = newest;
      const held = recognize(state, newest);
      const parked = state.parked.get(name) === newest.version;
      const resource = parked ? held?.resource : newest;
      if (parked) state.suspects.delete(name);
      if (resource === undefined) {
        state.owed.delete(name);
        continue;
      }
      const arrived = held?.version === resource.version && held.maybe.length === 0;
      if (arrived && !state.owed.has(name)) continue;
      if (ready(resource, now)) sends.push(resource);
      else waiting += 1;
    }
    return { ready: sends, waiting };
  }

  /**
   * Returns what the client holds of that name. A version of an earlier stream becomes known once
   * the ledger has it again; until then the client may need anything that its type refers to.
   */
  function recognize(state: TypeState, newest: Resource): Held | undefined {
    const held = state.held.get(newest.name);
    if (held === undefined || held.resource !== undefined || held.version !== newest.version) return held;
    const known = { ...held, resource: newest };
    state.held.set(newest.name, known);
    ledger.accept(newest);
    return known;
  }

  function* wanted(type: ResourceType, subscription: Subscription): Generator<Resource> {
    if (subscription.wildcard === "none") {
      for (const name of subscription.names) {
        const found = ledger.effective?.get(keyOf({ type, name }));
        if (found !== undefined) yield found;
      }
      return;
    }
    for (const one of ledger.effective?.values() ?? []) if (one.type === type) yield one;
  }

  /** Returns the names to remove: those that the snapshot lacks and nothing at the client needs. */
  function toRemove(state: TypeState, now: number): string[] {
    const { type, held } = state;
    const gone = [...held.keys()].filter((name) => !ledger.has(keyOf({ type, name })));
    for (const [name, one] of held) if (ledger.has(keyOf({ type, name }))) one.unusedSince = undefined;
    const needed = gone.length === 0 ? undefined : used();
    return gone.filter((name) => {
      const key = keyOf({ type, name });
      const one = held.get(name);
      if (one === undefined) return false;
      const inUse = needed?.keys.has(key) === true || needed?.types.has(type) === true;
      if (inUse || ledger.effective?.has(key) === true) {
        one.unusedSince = undefined;
        return false;
      }
      one.unusedSince ??= now;
      const at = one.unusedSince + (type === "cluster" ? lingerMs : 0);
      if (at > now) wake(at);
      return at <= now;
    });
  }

  function respond(state: TypeState, now: number): (SotwResponse & DeltaResponse) | undefined {
    const { type, subscription, suspects, owed } = state;
    if (subscription === undefined || state.inFlight !== undefined || state.frozenAt === ledger.revision)
      return undefined;
    const { ready: sendable, waiting } = toSend(state, subscription, now);
    const unsuspected = sendable.filter(({ name }) => !suspects.has(name));
    const changed = unsuspected.length > 0 ? unsuspected : sendable.slice(0, 1);
    const removed = toRemove(state, now);
    if (variant === "sotw" && !isFullState(type)) {
      // SotW cannot remove these: the client drops them itself.
      for (const name of removed.splice(0)) state.held.delete(name);
    }
    for (const name of owed) {
      if (ledger.has(keyOf({ type, name })) || state.held.has(name)) continue;
      owed.delete(name);
      // The client asked for a name that is not there, and waits for an answer.
      if (variant === "delta" && subscription.names.has(name)) removed.push(name);
    }
    const mustAnswer = !state.answered && (full(type) || subscription.wildcard !== "none");
    if (changed.length === 0 && removed.length === 0 && !mustAnswer) return undefined;
    // The first full response replaces all of an earlier stream, so it has to be complete.
    if (full(type) && !state.answered && waiting > 0) return undefined;
    if (full(type) && !state.known && !ledger.complete(type)) return undefined;
    return send(state, changed, removed, now);
  }

  function send(
    state: TypeState,
    changed: readonly Resource[],
    removed: readonly string[],
    now: number,
  ): SotwResponse & DeltaResponse {
    const { type, owed } = state;
    const sent = new Map<string, Resource>();
    if (full(type)) {
      for (const [name, { resource }] of state.held) {
        if (resource !== undefined && !removed.includes(name)) sent.set(name, resource);
      }
    }
    for (const resource of changed) sent.set(resource.name, resource);
    nonces += 1;
    const nonce = String(nonces);
    const debts = new Set(changed.map(({ name }) => name).filter((name) => owed.delete(name)));
    state.inFlight = { nonce, sent, changed, removed, owed: debts, at: now, revision: ledger.revision };
    state.nonce = nonce;
    state.answered = true;
    state.frozenAt = undefined;
    // A changed cluster warms until its endpoints are sent again, even unchanged ones. One that the
    // client may hold in another version may change too. So does what has secrets: the client may
    // have dropped those in a request that crossed a response.
    const warming = new Set(changed);
    for (const resource of sent.values()) {
      if ((state.held.get(resource.name)?.maybe.length ?? 0) > 0) warming.add(resource);
    }
    for (const { references } of warming) {
      for (const { type, name } of references) if (type === "endpoints" || type === "secret") owe(states[type], name);
    }
    const resources = [...sent.values()];
    return { type, nonce, version: versionOf(resources), resources, removed: variant === "delta" ? removed : [] };
  }

  return {
    receive: variant === "sotw" ? receiveSotw : receiveDelta,
    next(now) {
      wakeAt = undefined;
      if (ledger.effective === undefined) return undefined;
      for (const type of resourceTypes) {
        const response = respond(states[type], now);
        if (response !== undefined) return response;
      }
      return undefined;
    },
    get wakeAt() {
      return wakeAt;
    },
    status: () => statusOf(Object.values(states), ledger),
  };
}

function bounded(type: ResourceType, subscription: Subscription): Subscription {
  if (subscription.names.size <= mostNames) return subscription;
  throw new SubscriptionError(
    `the client subscribes to ${subscription.names.size} resources of type ${type}; at most ${mostNames} are allowed`,
  );
}

function versionOf(resources: readonly Resource[]): string {
  const hash = createHash("sha256");
  for (const line of resources.map(({ name, version }) => `${name} ${version}\n`).toSorted()) hash.update(line);
  return hash.digest("hex").slice(0, 16);
}
