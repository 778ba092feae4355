import { type PlaceOwner, Places } from "@plumbline/concurrency";
import type { Metrics } from "@plumbline/telemetry";
import { clientKey, plainAddress, type TrustProxy, trustOf } from "./client-address.ts";

/** Places of connections, and the peers that share them. */
export interface ConnectionPlaces {
  readonly places: Places;
  readonly ownerOf: (address: string | undefined) => PlaceOwner;
}

interface ConnectionLimits {
  readonly maxConnections: number;
  readonly connectionsPerClient: number;
  readonly trustProxy: TrustProxy;
}

/**
 * Returns the places of a gateway's connections. Trusted proxies speak for many clients, so they
 * may take all of them. A number of hops trusts each peer.
 */
export function connectionPlaces(
  { maxConnections: inAll, connectionsPerClient: perPeer, trustProxy }: ConnectionLimits,
  metrics: Pick<Metrics, "counter">,
): ConnectionPlaces {
  const refused = metrics.counter(
    "http_server_connections_refused_total",
    "Connections closed because a client or all clients have too many.",
    ["reason"],
  );
  const isTrusted = trustOf(trustProxy);
  return {
    places: new Places({ inAll, perPeer, onRefused: (reason) => refused.inc({ reason }) }),
    ownerOf: (address) => {
      const plain = address === undefined ? undefined : plainAddress(address);
      return { key: clientKey(plain), favoured: plain !== undefined && isTrusted(plain, 0) };
    },
  };
}
