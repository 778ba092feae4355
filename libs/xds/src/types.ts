/** A type of resource that the state machine knows. */
export type ResourceType = "cluster" | "endpoints" | "secret" | "listener" | "route";

/**
 * The types in the order in which changes are sent: CDS, EDS, SDS, LDS, RDS. Removals go the other
 * way, since a resource stays until nothing refers to it.
 */
export const resourceTypes: readonly ResourceType[] = ["cluster", "endpoints", "secret", "listener", "route"];

export const typeUrls: Readonly<Record<ResourceType, string>> = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoints: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
};

const byUrl = new Map(resourceTypes.map((type) => [typeUrls[type], type]));

/** Returns the type of a type URL, or undefined if the state machine does not know it. */
export function typeOfUrl(url: string): ResourceType | undefined {
  return byUrl.get(url);
}

/** The types that a resource of each type may refer to. References make no cycle. */
export const mayReferTo: Readonly<Record<ResourceType, readonly ResourceType[]>> = {
  cluster: ["endpoints", "secret"],
  endpoints: [],
  secret: [],
  listener: ["cluster", "route", "secret"],
  route: ["cluster"],
};

/**
 * Returns true for the types whose SotW response holds all resources, so that a missing one is a
 * removed one. Only these can be subscribed to by wildcard without saying so.
 */
export function isFullState(type: ResourceType): boolean {
  return type === "cluster" || type === "listener";
}

/** Returns true if the first type is sent before the second. */
export function isSentBefore(first: ResourceType, second: ResourceType): boolean {
  return resourceTypes.indexOf(first) < resourceTypes.indexOf(second);
}
