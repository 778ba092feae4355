import type { PlaceOwner } from "@plumbline/concurrency";
import type { ServerTransportOptions } from "../transport.ts";

/** Returns the owner of the places of connections from `address`. */
export function ownerOf({ memory }: Pick<ServerTransportOptions, "memory">, address = ""): PlaceOwner {
  const { key, trusted } = memory.peerOf?.(address) ?? { key: address, trusted: false };
  return { key, favoured: trusted };
}
