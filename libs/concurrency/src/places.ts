export interface PlacesOptions {
  readonly inAll: number;
  readonly perPeer: number;
  /** The places of `inAll` that only favoured peers take; none if not given. */
  readonly kept?: number | undefined;
  /** Called for each place that was refused, or taken from its holder. */
  readonly onRefused?: ((why: RefusedPlace) => void) | undefined;
}

/** `peer` and `all` name the bound that refused a holder; `evicted` is one that was idle. */
export type RefusedPlace = "peer" | "all" | "evicted";

/** A holder of a place: a connection, for one. */
export interface PlaceHolder {
  /** True while nothing is lost if it leaves. */
  readonly isIdle: boolean;
  /** Ends it. Its place is free at once. */
  evict(): void;
}

/** A peer by name. One that is favoured speaks for many: it has no bound of its own. */
export interface PlaceOwner {
  readonly key: string;
  readonly favoured: boolean;
}

interface Peer extends PlaceOwner {
  /** Its holders, the oldest first. */
  readonly holders: Set<PlaceHolder>;
}

/**
 * Places that peers share, such as the connections of a server. At a bound the oldest idle holder
 * leaves: at the bound of one peer it is one of that peer, at the bound of all it is one of the
 * peer that holds most, favoured peers last. A peer that holds little gets a place as long as
 * another one holds more and is idle. Memory is kept only for peers that hold places.
 */
export class Places {
  readonly #options: PlacesOptions;
  readonly #peers = new Map<string, Peer>();
  #taken = 0;

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  get taken(): number {
    return this.#taken;
  }

  get peers(): number {
    return this.#peers.size;
  }

  takenBy(key: string): number {
    return this.#peers.get(key)?.holders.size ?? 0;
  }

  /** Takes a place until `leave`. Returns false if none is free. */
  enter({ key, favoured }: PlaceOwner, holder: PlaceHolder): boolean {
    const { inAll, perPeer, kept = 0, onRefused } = this.#options;
    const held = this.takenBy(key);
    if (!favoured && held >= perPeer && !this.#evictOf(this.#peers.get(key))) {
      onRefused?.("peer");
      return false;
    }
    if (
      this.#taken >= (favoured ? inAll : inAll - kept) &&
      !this.#evictOf(this.#largest(favoured, favoured ? 0 : held))
    ) {
      onRefused?.("all");
      return false;
    }
    let peer = this.#peers.get(key);
    if (peer === undefined) this.#peers.set(key, (peer = { key, favoured, holders: new Set() }));
    peer.holders.add(holder);
    this.#taken += 1;
    return true;
  }

  /** Gives a place back. Does nothing for a holder that has none. */
  leave(key: string, holder: PlaceHolder): void {
    const peer = this.#peers.get(key);
    if (peer === undefined || !peer.holders.delete(holder)) return;
    this.#taken -= 1;
    if (peer.holders.size === 0) this.#peers.delete(key);
  }

  /** Returns the peer with most places of those with an idle one, none with fewer than `least`. */
  #largest(favouredToo: boolean, least: number): Peer | undefined {
    let found: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (peer.favoured && (!favouredToo || found?.favoured === false)) continue;
      const { size } = peer.holders;
      if (size < least || (size <= (found?.holders.size ?? 0) && found?.favoured === peer.favoured)) continue;
      if (oldestIdle(peer) !== undefined) found = peer;
    }
    return found;
  }

  #evictOf(peer: Peer | undefined): boolean {
    const holder = peer && oldestIdle(peer);
    if (peer === undefined || holder === undefined) return false;
    this.leave(peer.key, holder);
    this.#options.onRefused?.("evicted");
    holder.evict();
    return true;
  }
}

function oldestIdle({ holders }: Peer): PlaceHolder | undefined {
  for (const holder of holders) if (holder.isIdle) return holder;
  return undefined;
}

/** The part of a socket that holds a place. */
interface Closable {
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
}

/**
 * Gives a socket a place until it closes, or destroys it and returns false. It leaves for another
 * one only while `isIdle` returns true.
 */
export function placeSocket(places: Places, owner: PlaceOwner, socket: Closable, isIdle: () => boolean): boolean {
  const holder: PlaceHolder = {
    get isIdle() {
      return isIdle();
    },
    evict: () => void socket.destroy(),
  };
  if (!places.enter(owner, holder)) {
    socket.destroy();
    return false;
  }
  socket.once("close", () => places.leave(owner.key, holder));
  return true;
}
