import { decodePrincipal, type Principal, principalName } from "@plumbline/auth";
import type { Metadata } from "../metadata.ts";
import { ShareKeys } from "../shares/share-keys.ts";

/** The principals of calls, by the setting that says which peers are believed about them. */
export class Principals {
  readonly #peers: ShareKeys;

  /** Throws an Error for a list that `addressList` cannot read. */
  constructor(believedPeers: string) {
    this.#peers = new ShareKeys(believedPeers);
  }

  isBelieved(peer: string): boolean {
    return this.#peers.peer(peer).trusted;
  }

  /**
   * Returns the principal that a believed peer names; undefined if it names none, several, or bytes
   * that are none. The word of another peer counts for nothing.
   */
  of(metadata: Metadata, peer: string): Principal | undefined {
    if (!this.isBelieved(peer)) return undefined;
    const [bytes, ...others] = metadata.getAllBinary(principalName);
    return bytes === undefined || others.length > 0 ? undefined : decodePrincipal(bytes);
  }
}
