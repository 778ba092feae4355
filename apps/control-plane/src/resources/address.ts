import { isIP } from "node:net";
import type { Address as AddressMessage } from "../gen/envoy/config/core/v3/address.ts";
import { Address } from "../gen/envoy/config/core/v3/address.ts";

/** A server of a cluster. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Reads "host:port". An IPv6 address has brackets. */
export function endpointOf(text: string): Endpoint {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(text.slice(colon + 1)) };
}

/** Returns true if every endpoint is an IP address, so that nothing has to be resolved. */
export function areAddresses(endpoints: readonly Endpoint[]): boolean {
  return endpoints.every(({ host }) => isIP(host) !== 0);
}

export function socketAddress({ host, port }: Endpoint): AddressMessage {
  return Address.fromPartial({
    address: { $case: "socketAddress", value: { address: host, portSpecifier: { $case: "portValue", value: port } } },
  });
}
