import { addressList, plainAddress } from "@plumbline/rpc/shares";

const isOfThisMachine = addressList("loopback");

/** Returns true for a host that other machines cannot reach. */
export function isLoopback(host: string): boolean {
  const address = plainAddress(host);
  return address === undefined ? host.toLowerCase() === "localhost" : isOfThisMachine(address);
}
