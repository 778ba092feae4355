import { Floods } from "./floods.ts";

export interface PeersOptions {
  /** The most octets held for all peers together; 64 MiB if not given. */
  readonly maxHeld?: number | undefined;
  /** The most octets held for one peer; a quarter of `maxHeld` if not given. */
  readonly maxHeldPerPeer?: number | undefined;
  /** Returns the peer at an address. Each address is one that is not trusted if not given. */
  readonly peerOf?: ((address: string) => PeerName) | undefined;
}

export interface PeerName {
  readonly key: string;
  /** True for a peer that speaks for many clients. It may take the whole bound. */
  readonly trusted: boolean;
}

/** A connection in the account of its peer. */
export interface Holder {
  /** The octets held for it. */
  readonly held: number;
  /** Ends the call that holds most, or all of the connection, and gives back what that held. */
  cut(): void;
}

/** The most peers without a connection whose budgets are remembered. */
const maxRemembered = 1_000;

/**
 * The accounts of a server's peers, by address: octets held for them, and budgets for actions that
 * cost us more than them. Connections are cheap, so a bound per connection would be none.
 *
 * Past the bound of one peer, that peer gets no more. Past the bound of all, the peer that holds
 * most loses its largest call, unless it is the one that asks: that one is refused. A trusted peer
 * loses calls to trusted ones only.
 */
export class Peers {
  readonly maxHeld: number;
  readonly maxHeldPerPeer: number;
  readonly #peerOf: (address: string) => PeerName;
  readonly #present = new Map<string, Peer>();
  /** Peers whose last connection has closed, the earliest first. */
  readonly #gone = new Map<string, Peer>();
  /** The octets held for all peers. */
  held = 0;

  constructor(options: PeersOptions = {}) {
    this.maxHeld = options.maxHeld ?? 64 * 1024 * 1024;
    this.maxHeldPerPeer = options.maxHeldPerPeer ?? this.maxHeld / 4;
    this.#peerOf = options.peerOf ?? ((key) => ({ key, trusted: false }));
  }

  /** The number of peers with a connection. */
  get size(): number {
    return this.#present.size;
  }

  /** Adds a connection from `address` to its peer's account. It leaves by `Peer.leave`. */
  enter(address: string, connection: Holder): Peer {
    const { key, trusted } = this.#peerOf(address);
    const peer = this.#present.get(key) ?? this.#gone.get(key) ?? new Peer(this, key, trusted);
    this.#gone.delete(key);
    this.#present.set(key, peer);
    peer.connections.add(connection);
    return peer;
  }

  /** Moves a peer without connections to those that are only remembered. */
  left(peer: Peer): void {
    this.#present.delete(peer.key);
    this.#gone.set(peer.key, peer);
    if (this.#gone.size <= maxRemembered) return;
    const [oldest] = this.#gone.keys();
    this.#gone.delete(oldest!);
  }

  /** Returns true if `octets` more fit for `asking`, at the cost of peers that hold more. */
  makeRoom(asking: Peer, octets: number): boolean {
    while (this.held + octets > this.maxHeld) {
      const heaviest = this.#heaviest(asking.isTrusted);
      if (heaviest === undefined || heaviest === asking || heaviest.held <= asking.held + octets) return false;
      const before = this.held;
      largest(heaviest.connections)?.cut();
      if (this.held >= before) return false;
    }
    return true;
  }

  /** Returns the peer that holds most, without those that are trusted unless they count too. */
  #heaviest(trustedToo: boolean): Peer | undefined {
    let found: Peer | undefined;
    for (const peer of this.#present.values()) {
      if ((trustedToo || !peer.isTrusted) && peer.held > (found?.held ?? 0)) found = peer;
    }
    return found;
  }
}

/** The account of one peer, which all its connections share. */
export class Peer {
  readonly key: string;
  readonly isTrusted: boolean;
  readonly floods: Floods;
  readonly connections = new Set<Holder>();
  readonly #all: Peers;
  /** The octets held for this peer. */
  held = 0;

  constructor(all: Peers, key: string, isTrusted: boolean) {
    this.#all = all;
    this.key = key;
    this.isTrusted = isTrusted;
    this.floods = new Floods(isTrusted);
  }

  /** Adds octets that are held for this peer. Returns false if they do not fit. */
  hold(octets: number): boolean {
    const all = this.#all;
    if (!this.isTrusted && this.held + octets > all.maxHeldPerPeer) return false;
    if (all.held + octets > all.maxHeld && !all.makeRoom(this, octets)) return false;
    this.held += octets;
    all.held += octets;
    return true;
  }

  release(octets: number): void {
    this.held -= octets;
    this.#all.held -= octets;
  }

  leave(connection: Holder): void {
    this.connections.delete(connection);
    if (this.connections.size === 0) this.#all.left(this);
  }
}

function largest(connections: Iterable<Holder>): Holder | undefined {
  let found: Holder | undefined;
  for (const connection of connections) if (connection.held > (found?.held ?? 0)) found = connection;
  return found;
}
