import { type Abortable, Event } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Connection } from "@plumbline/http2";
import type { Address } from "../../discovery/address.ts";
import { AddressWatch } from "../../discovery/address-watch.ts";
import type { Target } from "../../discovery/target.ts";
import type { ClientTransportOptions } from "../../transport.ts";
import type { Dialling } from "./dialling.ts";
import { type Picker, picker } from "./picker.ts";
import { Subchannel } from "./subchannel.ts";

export interface BalancerOptions extends Pick<ClientTransportOptions, "balancing" | "onResolution"> {
  /** Called when a call that found no connection may find one now, or fail. */
  readonly onChange: () => void;
}

/**
 * The choice of a connection for each call, among all addresses of the target. They are watched
 * from the first call on.
 */
export class Balancer {
  readonly #target: Target;
  readonly #dialling: Dialling;
  readonly #onChange: () => void;
  readonly #watch: AddressWatch;
  readonly #picker: Picker;
  #subchannels = new Map<string, Subchannel>();
  #all: Subchannel[] = [];
  #isStarted = false;
  /** True while there is no list of addresses yet, and the resolver has not failed. */
  #isResolving = true;
  #failure: unknown;
  #isClosed = false;
  readonly #waiters = new Set<Event>();

  constructor(target: Target, dialling: Dialling, options: BalancerOptions) {
    this.#target = target;
    this.#dialling = dialling;
    this.#onChange = options.onChange;
    this.#picker = picker(options.balancing ?? "round_robin");
    this.#watch = new AddressWatch(target.resolver, target.name, {
      changed: (addresses) => this.#use(addresses),
      failed: (error) => {
        this.#resolved(error);
        options.onResolution?.(error);
      },
      recovered: () => {
        this.#failure = undefined;
        options.onResolution?.(undefined);
      },
    });
  }

  /**
   * Returns a connection with capacity, or undefined if there may be one soon. Throws `unavailable`
   * if no address can be reached: each has been tried, and will be tried again later.
   */
  pick(): Connection | undefined {
    if (!this.#isStarted) this.#start();
    for (const subchannel of this.#all) if (subchannel.state === "idle") subchannel.connect();
    const found = this.#picker.pick(this.#all);
    if (found !== undefined) return found;
    if (this.#all.length === 0) {
      if (this.#isResolving) return undefined;
      throw this.#unavailable(this.#failure ?? new Error("the name has no addresses"));
    }
    if (this.#all.some(({ state }) => state !== "waiting")) return undefined;
    throw this.#unavailable(this.#all.find(({ lastError }) => lastError !== undefined)?.lastError);
  }

  /** True if a connection is established, with capacity or without. */
  get isConnected(): boolean {
    return this.#all.some(({ state }) => state === "ready");
  }

  /** Resolves when a connection is established. */
  async ready({ signal }: Abortable): Promise<void> {
    const changed = new Event();
    this.#waiters.add(changed);
    try {
      for (;;) {
        signal?.throwIfAborted();
        if (this.#isClosed) throw new ServiceError("unavailable", "the channel is closed");
        this.#start();
        for (const subchannel of this.#all) subchannel.connect();
        if (this.#all.some(({ state }) => state === "ready")) return;
        await changed.wait({ signal });
      }
    } finally {
      this.#waiters.delete(changed);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const subchannel of this.#all) subchannel.destroy();
    this.#all = [];
    this.#subchannels.clear();
    this.#changed();
    await this.#watch[Symbol.asyncDispose]();
  }

  #start(): void {
    this.#isStarted = true;
    this.#watch.start();
  }

  #changed(): void {
    for (const waiter of this.#waiters) waiter.set();
    this.#onChange();
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
    this.#all = [...this.#subchannels.values()];
    for (const gone of before.values()) gone.drain();
    this.#resolved(undefined);
  }

  #resolved(failure: unknown): void {
    if (this.#isClosed) return;
    this.#isResolving = false;
    this.#failure = failure;
    this.#changed();
  }

  #subchannel(address: Address): Subchannel {
    return new Subchannel(address, this.#dialling, {
      changed: () => this.#changed(),
      lost: () => this.#watch.lost(),
    });
  }

  #unavailable(cause: unknown): ServiceError {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    return new ServiceError("unavailable", `${this.#target.authority} cannot be reached${why}`, { cause });
  }
}
