import { isFullState, type ResourceType } from "./types.ts";

/** The part of a type that a client wants. */
export interface Subscription {
  /**
   * All resources of the type: not at all, because the first request named none ("legacy"), or by
   * the name `*`. Only the last two differ from each other in SotW, where an empty request after a
   * named one no longer means all.
   */
  readonly wildcard: "none" | "legacy" | "explicit";
  readonly names: ReadonlySet<string>;
}

/** A request for more names than a stream may have. */
export class SubscriptionError extends Error {
  static {
    this.prototype.name = "SubscriptionError";
  }
}

/** The subscription before the first request. */
export const noSubscription: Subscription = { wildcard: "none", names: new Set() };

/** Returns true if the client wants the resource of that name. */
export function wants(subscription: Subscription, name: string): boolean {
  return subscription.wildcard !== "none" || subscription.names.has(name);
}

/** Returns the subscription after a SotW request, which names everything that the client wants. */
export function afterSotw(
  type: ResourceType,
  before: Subscription | undefined,
  requested: readonly string[],
): Subscription {
  const names = new Set(requested);
  if (names.delete("*")) return { wildcard: "explicit", names };
  const legacy = isFullState(type) && names.size === 0 && (before === undefined || before.wildcard === "legacy");
  return { wildcard: legacy ? "legacy" : "none", names };
}

/** Returns the subscription after a delta request, which names what is added and dropped. */
export function afterDelta(
  type: ResourceType,
  before: Subscription | undefined,
  { subscribe, unsubscribe }: { readonly subscribe: readonly string[]; readonly unsubscribe: readonly string[] },
): Subscription {
  const names = new Set(before?.names);
  let wildcard = before?.wildcard ?? (isFullState(type) && subscribe.length === 0 ? "legacy" : "none");
  for (const name of subscribe) {
    if (name === "*") wildcard = "explicit";
    else names.add(name);
  }
  for (const name of unsubscribe) {
    if (name === "*") wildcard = "none";
    else names.delete(name);
  }
  return { wildcard, names };
}
