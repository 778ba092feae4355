import type { Resource } from "./snapshot.ts";
import type { ResourceType } from "./types.ts";

/** A DiscoveryRequest: the whole subscription of a client to a type. */
export interface SotwRequest {
  readonly type: ResourceType;
  readonly names: readonly string[];
  /** The version that the client accepted last, on any stream, or "" if there is none. */
  readonly version: string;
  /** The nonce of the response that this answers, or "" if it answers none. */
  readonly nonce: string;
  /** The message of `error_detail`. With it the request is a NACK. */
  readonly error?: string | undefined;
}

/** A DiscoveryResponse. */
export interface SotwResponse {
  readonly type: ResourceType;
  readonly nonce: string;
  readonly version: string;
  /** All resources for clusters and listeners, and changed ones for the other types. */
  readonly resources: readonly Resource[];
}

/** A DeltaDiscoveryRequest: a change of the subscription of a client to a type. */
export interface DeltaRequest {
  readonly type: ResourceType;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** The versions that the client holds from an earlier stream, in its first request. */
  readonly initialVersions?: Readonly<Record<string, string>> | undefined;
  readonly nonce: string;
  readonly error?: string | undefined;
}

/** A DeltaDiscoveryResponse. */
export interface DeltaResponse {
  readonly type: ResourceType;
  readonly nonce: string;
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
}
