import {
  type DeltaRequest,
  type DeltaResponse,
  type SotwRequest,
  type SotwResponse,
  typeOfUrl,
  typeUrls,
} from "@plumbline/xds";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  type DiscoveryRequest,
  DiscoveryResponse,
} from "../gen/envoy/service/discovery/v3/discovery.ts";

const controlPlane = { identifier: "plumbline" };

/** A request with its sender. */
export interface Incoming<Request> {
  /** The id of the sender. Only the first request of a stream must have it. */
  readonly node: string;
  readonly typeUrl: string;
  /** Undefined for a type that is not served. */
  readonly request: Request | undefined;
}

export function sotwRequestOf(message: DiscoveryRequest): Incoming<SotwRequest> {
  const { typeUrl } = message;
  const type = typeOfUrl(typeUrl);
  const request = type && {
    type,
    names: message.resourceNames,
    version: message.versionInfo,
    nonce: message.responseNonce,
    error: message.errorDetail && errorOf(message.errorDetail),
  };
  return { node: message.node?.id ?? "", typeUrl, request };
}

export function deltaRequestOf(message: DeltaDiscoveryRequest): Incoming<DeltaRequest> {
  const { typeUrl } = message;
  const type = typeOfUrl(typeUrl);
  const request = type && {
    type,
    subscribe: message.resourceNamesSubscribe,
    unsubscribe: message.resourceNamesUnsubscribe,
    initialVersions: message.initialResourceVersions,
    nonce: message.responseNonce,
    error: message.errorDetail && errorOf(message.errorDetail),
  };
  return { node: message.node?.id ?? "", typeUrl, request };
}

export function sotwResponseOf({ type, nonce, version, resources }: SotwResponse): DiscoveryResponse {
  const typeUrl = typeUrls[type];
  return DiscoveryResponse.fromPartial({
    typeUrl,
    nonce,
    versionInfo: version,
    resources: resources.map(({ bytes }) => ({ typeUrl, value: bytes })),
    controlPlane,
  });
}

export function deltaResponseOf({ type, nonce, resources, removed }: DeltaResponse): DeltaDiscoveryResponse {
  const typeUrl = typeUrls[type];
  return DeltaDiscoveryResponse.fromPartial({
    typeUrl,
    nonce,
    resources: resources.map(({ name, version, bytes }) => ({ name, version, resource: { typeUrl, value: bytes } })),
    removedResources: [...removed],
    controlPlane,
  });
}

/** Returns the message of a NACK, cut: a proxy may send kilobytes. */
function errorOf({ code, message }: { readonly code: number; readonly message: string }): string {
  return message === "" ? `status ${code}` : message.slice(0, 1_024);
}
