import type { Metadata } from "../metadata.ts";
import { addressKey, addressList, plainAddress } from "./address.ts";

/**
 * The metadata that carries a share key: the name under which the client of a call is counted. The
 * edge sets it, and a service that makes calls for its caller passes `call.shareKey` on.
 */
export const shareKeyName = "plumbline-share-key";

/** The list of peers that are trusted by default: those of this machine and of private networks. */
export const defaultTrustedPeers = "loopback,uniquelocal";

/** Visible ASCII. Metadata that is sent twice arrives with a space. */
const validKey = /^[\x21-\x7e]{1,45}$/;

/** The most peers that are remembered; each connection is one. */
const maxPeers = 1_000;

/** A peer, by the address of its connection. */
export interface SharePeer {
  /** The key of the peer's own address. */
  readonly key: string;
  /** True for a peer that speaks for the client it names. It has no share of its own to exceed. */
  readonly trusted: boolean;
}

/** The share keys of calls, by the setting that says which peers may name another client. */
export class ShareKeys {
  readonly #isTrusted: (address: string) => boolean;
  readonly #peers = new Map<string, SharePeer>();

  /** Throws an Error for a list that `addressList` cannot read. */
  constructor(trustedPeers: string = defaultTrustedPeers) {
    this.#isTrusted = trustedPeers === "" ? () => false : addressList(trustedPeers);
  }

  /**
   * Returns the key of a call, with at most 45 characters: that which a trusted peer names, else
   * that of the peer's own address. The word of another peer counts for nothing.
   */
  of(metadata: Metadata, peer: string): string {
    const { key, trusted } = this.peer(peer);
    return (trusted ? named(metadata) : undefined) ?? key;
  }

  /** Returns the same, but "" for a trusted peer that names no client: it has no bound. */
  boundOf(metadata: Metadata, peer: string): string {
    const { key, trusted } = this.peer(peer);
    return trusted ? (named(metadata) ?? "") : key;
  }

  /** Returns the peer at "address:port", an IPv6 address with or without brackets. */
  peer(peer: string): SharePeer {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const address = plainAddress(peer.slice(0, Math.max(0, peer.lastIndexOf(":"))));
    const found = { key: addressKey(address), trusted: address !== undefined && this.#isTrusted(address) };
    if (this.#peers.size >= maxPeers) this.#peers.clear();
    this.#peers.set(peer, found);
    return found;
  }
}

function named(metadata: Metadata): string | undefined {
  const key = metadata.get(shareKeyName);
  return key !== undefined && validKey.test(key) ? key : undefined;
}
