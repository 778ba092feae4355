import { type Abortable, Event } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Connection } from "@plumbline/http2";
import type { Address } from "../../discovery/address.ts";
import type { Dialling } from "./dialling.ts";
import { resolveName } from "./resolve-name.ts";
import { Subchannel } from "./subchannel.ts";
import type { Target } from "./target.ts";

/** The shortest time between two lookups of a name. */
const lookupEveryMs = 5_000;

/**
 * The choice of a connection for each call: all addresses of the target in turn ("round_robin").
 * Addresses are resolved with the first call, and again when a connection is lost. Without calls it
 * does nothing.
 */
export class Balancer {
  readonly #target: Target;
  readonly #dialling: Dialling;
  readonly #onChange: () => void;
  #subchannels = new Map<string, Subchannel>();
  #inTurn: Subchannel[] = [];
  #turn = 0;
  #lookedUpAt = Number.NEGATIVE_INFINITY;
  #isLookingUp = false;
  #isStale = true;
  #lookupError: unknown;
  #isClosed = false;
  readonly #watchers = new Set<Event>();

  /** Calls `onChange` when a call that found no connection may find one now, or fail. */
  constructor(target: Target, dialling: Dialling, onChange: () => void) {
    this.#target = target;
    this.#dialling = dialling;
    this.#onChange = onChange;
  }

  /**
   * Returns a connection with capacity, or undefined if there may be one soon. Throws `unavailable`
   * if no address can be reached: each has been tried, and will be tried again later.
   */
  pick(): Connection | undefined {
    this.#lookUpIfStale();
    const { length } = this.#inTurn;
    let found: Connection | undefined;
    for (let tried = 0; tried < length; tried++) {
      const subchannel = this.#inTurn[(this.#turn + tried) % length]!;
      if (subchannel.state === "idle") subchannel.connect();
      if (found !== undefined) continue;
      found = subchannel.available;
      if (found !== undefined) this.#turn = (this.#turn + tried + 1) % length;
    }
    if (found !== undefined) return found;
    if (length === 0) {
      if (this.#isLookingUp) return undefined;
      throw this.#unavailable(this.#lookupError);
    }
    if (this.#inTurn.some(({ state }) => state !== "waiting")) return undefined;
    throw this.#unavailable(this.#inTurn[this.#turn % length]?.lastError);
  }

  /** Resolves when a connection is established. */
  async ready({ signal }: Abortable): Promise<void> {
    const changed = new Event();
    this.#watchers.add(changed);
    try {
      for (;;) {
        signal?.throwIfAborted();
        if (this.#isClosed) throw new ServiceError("unavailable", "the channel is closed");
        this.#lookUpIfStale();
        for (const subchannel of this.#inTurn) subchannel.connect();
        if (this.#inTurn.some(({ state }) => state === "ready")) return;
        // A name that cannot be resolved sets no event, so it is looked up again after a while.
        await changed.wait({ ms: this.#inTurn.length === 0 ? lookupEveryMs : undefined, signal });
      }
    } finally {
      this.#watchers.delete(changed);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const subchannel of this.#inTurn) subchannel.destroy();
    this.#inTurn = [];
    this.#subchannels.clear();
    this.#changed();
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher.set();
    this.#onChange();
  }

  #lookUpIfStale(): void {
    if (!this.#isStale || this.#isLookingUp || this.#isClosed) return;
    if (performance.now() < this.#lookedUpAt + lookupEveryMs) return;
    this.#isStale = false;
    this.#lookedUpAt = performance.now();
    if (this.#target.addresses !== undefined) this.#use(this.#target.addresses);
    else if (this.#target.name !== undefined) void this.#lookUp(this.#target.name);
  }

  async #lookUp({ host, port }: Address): Promise<void> {
    this.#isLookingUp = true;
    try {
      const found = await resolveName(host, this.#target.nameServer);
      this.#use(found.map((address) => ({ host: address, port })));
      this.#lookupError = undefined;
    } catch (error) {
      // The addresses known before stay in use.
      this.#lookupError = error;
      this.#isStale = true;
    }
    this.#isLookingUp = false;
    if (!this.#isClosed) this.#changed();
  }

  #use(addresses: readonly Address[]): void {
    if (this.#isClosed) return;
    const before = this.#subchannels;
    this.#subchannels = new Map();
    for (const address of addresses) {
      const key = `${address.host} ${address.port}`;
      this.#subchannels.set(key, before.get(key) ?? this.#subchannel(address));
      before.delete(key);
    }
    for (const gone of before.values()) gone.drain();
    this.#inTurn = [...this.#subchannels.values()];
  }

  #subchannel(address: Address): Subchannel {
    return new Subchannel(address, this.#dialling, {
      changed: () => this.#changed(),
      lost: () => {
        this.#isStale = true;
      },
    });
  }

  #unavailable(cause: unknown): ServiceError {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    return new ServiceError("unavailable", `${this.#target.authority} cannot be reached${why}`, { cause });
  }
}
