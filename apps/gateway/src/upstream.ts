import type { MetadataInit } from "@plumbline/rpc";

/** The options of one call. */
export interface UpstreamCall {
  /** Aborts when the client has disconnected. */
  readonly signal: AbortSignal;
  /** The deadline. A call that takes longer rejects with deadline_exceeded. */
  readonly timeoutMs: number;
  readonly metadata: MetadataInit;
}

/**
 * A service behind the gateway, called in bytes: the gateway knows messages by their descriptors
 * and needs no generated code. This is the part of rpc's `Channel` that is used here. Both methods
 * reject with a ServiceError, or with the signal's reason soon after it aborts.
 */
export interface Upstream {
  unary(path: string, request: Uint8Array, call: UpstreamCall): Promise<{ readonly message: Uint8Array }>;
  serverStream(path: string, request: Uint8Array, call: UpstreamCall): AsyncIterable<Uint8Array>;
}

/**
 * Returns the name of the setting for a package's upstream: the package without its version, since
 * one service serves all versions. `orders.v1` is `orders`, `acme.shop.v1beta1` is `acme-shop`.
 */
export function upstreamName(protoPackage: string): string {
  return protoPackage.replace(/\.v\d+\w*$/, "").replaceAll(".", "-");
}
